// An expression over rows, ready to be evaluated, kept for as long as what it was planned with is
// unchanged: planning puts the bodies of SQL functions in the place of their calls.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "nodes/execnodes.h"
#include "utils/plancache.h"
}

namespace freshcrm::projection {

// Zeroed to begin with.
struct KeptState {
    ExprState* state;
    CachedExpression* planned;
};

inline bool IsReady(const KeptState& kept) {
    return kept.planned != nullptr && kept.planned->is_valid;
}

// Makes it ready. To be called as the user as whom the expression is evaluated: planning already
// calls immutable functions of constants, and initialising asks for the right to call the others.
// What an earlier call has made lasts as long as `context`, too, since it may be in use.
void PrepareState(KeptState* kept, Expr* expression, MemoryContext context);

// Of a row, in the per-tuple memory of `expressions`.
Datum Evaluate(const KeptState& kept, TupleTableSlot* slot, ExprContext* expressions, bool* isnull);

}  // namespace freshcrm::projection
