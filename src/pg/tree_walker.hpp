// expression_tree_walker() with a typed callback. PostgreSQL 15 declares the callback without a
// prototype, which C++ reads as "no arguments"; 16 types it.
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

}  // namespace freshcrm::pg
