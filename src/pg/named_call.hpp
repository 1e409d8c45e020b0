// Calls of functions in expressions, by what their results depend on.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/primnodes.h"
#include "utils/fmgroids.h"
}

namespace freshcrm::pg {

// The function that a node calls by name or as an operator, and its arguments; invalid for others.
struct NamedCall {
    Oid function;
    const List* arguments;
};

inline NamedCall CallOf(Node* node) {
    if (IsA(node, FuncExpr)) {
        const auto* call = reinterpret_cast<FuncExpr*>(node);
        return {call->funcid, call->args};
    }
    if (IsA(node, OpExpr)) {
        const auto* call = reinterpret_cast<OpExpr*>(node);
        return {get_opcode(call->opno), call->args};
    }
    if (IsA(node, Aggref)) {
        const auto* call = reinterpret_cast<Aggref*>(node);
        return {call->aggfnoid, call->args};
    }
    if (IsA(node, WindowFunc)) {
        const auto* call = reinterpret_cast<WindowFunc*>(node);
        return {call->winfnoid, call->args};
    }
    return {InvalidOid, NIL};
}

// Functions that are stable only because they call the output functions of whatever types they are
// given.
inline constexpr Oid kWritesText[] = {
    F_CONCAT,
    F_CONCAT_WS,
    F_FORMAT_TEXT,
    F_FORMAT_TEXT_ANY,
    F_ARRAY_TO_STRING_ANYARRAY_TEXT,
    F_ARRAY_TO_STRING_ANYARRAY_TEXT_TEXT,
    F_QUOTE_LITERAL_ANYELEMENT,
    F_QUOTE_NULLABLE_ANYELEMENT,
    F_TEXTANYCAT,
    F_ANYTEXTCAT,
};

}  // namespace freshcrm::pg
