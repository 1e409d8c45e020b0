// expression_tree_walker() and its kin with typed callbacks. PostgreSQL 15 declares the callback
// without a prototype, which C++ reads as "no arguments"; 16 types it.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/nodeFuncs.h"
}

namespace freshcrm::pg {

using TreeWalker = bool (*)(Node*, void*);

inline bool WalkExpressionTree(Node* node, TreeWalker walker, void* context) {
#if PG_VERSION_NUM < 160000
    // Through void (*)(), the type that stands for any function.
    return expression_tree_walker(
        node, reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(walker)), context);
#else
    return expression_tree_walker(node, walker, context);
#endif
}

inline bool WalkQueryTree(Query* query, TreeWalker walker, void* context) {
#if PG_VERSION_NUM < 160000
    return query_tree_walker(
        query, reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(walker)), context, 0);
#else
    return query_tree_walker(query, walker, context, 0);
#endif
}

using TreeMutator = Node* (*)(Node*, void*);

inline Node* MutateExpressionTree(Node* node, TreeMutator mutator, void* context) {
#if PG_VERSION_NUM < 160000
    return expression_tree_mutator(
        node, reinterpret_cast<Node* (*)()>(reinterpret_cast<void (*)()>(mutator)), context);
#else
    return expression_tree_mutator(node, mutator, context);
#endif
}

}  // namespace freshcrm::pg
