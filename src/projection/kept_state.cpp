#include "projection/kept_state.hpp"

#include "pg/memory.hpp"

extern "C" {
#include "executor/executor.h"
}

namespace freshcrm::projection {

void PrepareState(KeptState* kept, Expr* expression, MemoryContext context) {
    CachedExpression* planned = GetCachedExpression(reinterpret_cast<Node*>(expression));
    // The server keeps it in a place of its own.
    pg::OnReset(
        context, [](void* of) { FreeCachedExpression(static_cast<CachedExpression*>(of)); },
        planned);
    MemoryContext caller = MemoryContextSwitchTo(context);
    kept->state = ExecInitExpr(reinterpret_cast<Expr*>(planned->expr), nullptr);
    MemoryContextSwitchTo(caller);
    kept->planned = planned;
}

Datum Evaluate(const KeptState& kept, TupleTableSlot* slot, ExprContext* expressions,
               bool* isnull) {
    expressions->ecxt_scantuple = slot;
    return ExecEvalExprSwitchContext(kept.state, expressions, isnull);
}

}  // namespace freshcrm::projection
