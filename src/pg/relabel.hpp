// What a cast that leaves the bytes as they are is of.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/primnodes.h"
}

namespace freshcrm::pg {

inline Node* WithoutRelabel(Node* node) {
    while (IsA(node, RelabelType)) {
        node = reinterpret_cast<Node*>(reinterpret_cast<RelabelType*>(node)->arg);
    }
    return node;
}

}  // namespace freshcrm::pg
