#include "explain/explain.hpp"

#include "explain/capture.hpp"
#include "explain/print.hpp"
#include "explain/scope.hpp"
#include "pg/sql_function.hpp"
#include "pg/tree_walker.hpp"

extern "C" {
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "commands/proclang.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/datum.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
}

namespace freshcrm::explain {

namespace {

bool ContainsCall(Node* node, void* function) {
    if (node == nullptr) {
        return false;
    }
    if (IsA(node, FuncExpr) &&
        reinterpret_cast<FuncExpr*>(node)->funcid == *static_cast<const Oid*>(function)) {
        return true;
    }
    return pg::WalkExpressionTree(node, ContainsCall, function);
}

// Whether the planner has put the function's body in place of the call.
bool IsInlined(const PlannedStmt* statement, Oid function) {
    for (Plan* plan = statement->planTree; plan != nullptr; plan = plan->lefttree) {
        List* functions =
            IsA(plan, FunctionScan) ? reinterpret_cast<FunctionScan*>(plan)->functions : NIL;
        if (ContainsCall(reinterpret_cast<Node*>(functions), &function) ||
            ContainsCall(reinterpret_cast<Node*>(plan->targetlist), &function)) {
            return false;
        }
    }
    return true;
}

PlannedStmt* PlanCall(const Call& call) {
    if (!call.returns_set && call.volatility == PROVOLATILE_IMMUTABLE) {
        // With constants the planner would run the function and keep only the result.
        for (int i = 0; i < call.params->numParams; ++i) {
            call.params->params[i].pflags = 0;
        }
    }
    // The planner scribbles on it.
    auto* query = static_cast<Query*>(copyObjectImpl(call.query));
    return pg_plan_query(query, call.source, CURSOR_OPT_PARALLEL_OK, call.params);
}

QueryDesc* Start(PlannedStmt* plan, const char* text, ParamListInfo params, int instrument,
                 int flags) {
    QueryDesc* query = CreateQueryDesc(plan, text, GetActiveSnapshot(), InvalidSnapshot,
                                       None_Receiver, params, nullptr, instrument);
    ExecutorStart(query, flags);
    return query;
}

void End(QueryDesc* query) {
    ExecutorEnd(query);
    FreeQueryDesc(query);
}

const char* PrintCall(const Call& call, const Options& options, QueryDesc* query, bool inlined,
                      const Capture* capture) {
    ExplainState* printer = BeginStatement(options);
    ExplainPropertyText("Function", call.signature, printer);
    ExplainPropertyBool("Inlined", inlined, printer);
    PrintPlan(printer, query);
    if (options.summary) {
        ExplainPropertyFloat("Total Time", "ms", query->totaltime->total * 1000, 3, printer);
    }
    if (capture != nullptr && capture->hidden > 0) {
        ExplainPropertyUInteger("Runs As Other Roles, Not Shown", nullptr, capture->hidden,
                                printer);
    }
    if (capture != nullptr && capture->left_out > 0) {
        ExplainPropertyUInteger("Runs Of Further Statements, Not Shown", nullptr, capture->left_out,
                                printer);
    }
    return EndStatement(printer);
}

List* ExplainInlined(const Call& call, const Options& options, PlannedStmt* plan) {
    QueryDesc* query = Start(plan, call.source, call.params, 0, EXEC_FLAG_EXPLAIN_ONLY);
    List* texts = list_make1(const_cast<char*>(PrintCall(call, options, query, true, nullptr)));
    End(query);
    return texts;
}

const char* PrintUtility(const Call& call, const Options& options, const char* text,
                         Node* statement) {
    ExplainState* printer = BeginStatement(options);
    ExplainPropertyText("Function", call.signature, printer);
    PrintText(printer, text);
    ExplainPropertyText("Utility Statement", GetCommandTagName(CreateCommandTag(statement)),
                        printer);
    return EndStatement(printer);
}

const char* PrintStatement(const Call& call, const Options& options, const char* text,
                           QueryDesc* query) {
    ExplainState* printer = BeginStatement(options);
    ExplainPropertyText("Function", call.signature, printer);
    ExplainPropertyBool("Inlined", false, printer);
    PrintText(printer, text);
    PrintPlan(printer, query);
    return EndStatement(printer);
}

// The values that the function gets, defaults included, which may depend on nothing but themselves.
ParamListInfo ArgumentValues(List* arguments, ParamListInfo params) {
    ParamListInfo values = makeParamList(list_length(arguments));
    EState* estate = CreateExecutorState();
    estate->es_param_list_info = params;
    ListCell* cell;
    foreach (cell, arguments) {
        auto* expression = static_cast<Expr*>(lfirst(cell));
        ParamExternData* value = &values->params[foreach_current_index(cell)];
        value->ptype = exprType(reinterpret_cast<Node*>(expression));
        value->pflags = PARAM_FLAG_CONST;
        value->value = ExecEvalExprSwitchContext(ExecPrepareExpr(expression, estate),
                                                 GetPerTupleExprContext(estate), &value->isnull);
        int16 length;
        bool by_value;
        get_typlenbyval(value->ptype, &length, &by_value);
        if (!value->isnull) {
            value->value = datumCopy(value->value, by_value, length);
        }
    }
    FreeExecutorState(estate);
    return values;
}

// The statements of a function in language SQL. The server plans them without the values of the
// arguments (executor/functions.c); those count only for what is left out when the plan starts,
// such as partitions.
List* ExplainBody(const Call& call, const Options& options, HeapTuple function) {
    FuncExpr* expression = call.expression;
    expression->args =
        expand_function_arguments(expression->args, false, expression->funcresulttype, function);
    ParamListInfo values = ArgumentValues(expression->args, call.params);
    const FunctionScope scope = EnterFunction(function);
    List* texts = NIL;
    ListCell* cell;
    foreach (cell, pg::StatementsOfSqlFunction(function, expression)) {
        const auto* statement = static_cast<pg::SqlStatement*>(lfirst(cell));
        const char* text = Trimmed(statement->text, strlen(statement->text));
        ListCell* query_cell;
        foreach (query_cell, statement->queries) {
            auto* query = lfirst_node(Query, query_cell);
            const char* printed;
            if (query->commandType == CMD_UTILITY) {
                printed = PrintUtility(call, options, text, query->utilityStmt);
            } else {
                PlannedStmt* plan = pg_plan_query(query, text, CURSOR_OPT_PARALLEL_OK, nullptr);
                QueryDesc* started = Start(plan, text, values, 0, EXEC_FLAG_EXPLAIN_ONLY);
                printed = PrintStatement(call, options, text, started);
                End(started);
            }
            texts = lappend(texts, const_cast<char*>(printed));
        }
    }
    LeaveFunction(scope);
    return texts;
}

const char* PrintCaptured(Captured* captured, const Options& options) {
    ExplainPropertyUInteger("Calls", nullptr, captured->calls, captured->printer);
    if (options.summary) {
        ExplainPropertyFloat("Total Time", "ms", captured->total, 3, captured->printer);
    }
    return EndStatement(captured->printer);
}

List* RunAndExplain(const Call& call, const Options& options, PlannedStmt* plan) {
    const bool inlined = IsInlined(plan, call.function);
    PushCopiedSnapshot(GetActiveSnapshot());
    UpdateActiveSnapshotCommandId();
    QueryDesc* query = Start(plan, call.source, call.params, InstrumentOptions(options), 0);
    MemoryContext caller = MemoryContextSwitchTo(query->estate->es_query_cxt);
    query->totaltime =
        query->totaltime != nullptr ? query->totaltime : InstrAlloc(1, INSTRUMENT_ALL, false);
    MemoryContextSwitchTo(caller);
    Capture capture{};
    capture.options = options;
    capture.context = AllocSetContextCreate(CurrentMemoryContext, "freshcrm captured plans",
                                            ALLOCSET_DEFAULT_SIZES);
    capture.query = query;
    capture.user = GetUserId();
    RunCaptured(&capture);
    InstrEndLoop(query->totaltime);
    List* texts = list_make1(const_cast<char*>(PrintCall(call, options, query, inlined, &capture)));
    ListCell* cell;
    foreach (cell, capture.statements) {
        auto* captured = static_cast<Captured*>(lfirst(cell));
        texts = lappend(texts, const_cast<char*>(PrintCaptured(captured, options)));
    }
    End(query);
    PopActiveSnapshot();
    return texts;
}

[[noreturn]] void RaiseKnownOnlyWhenRun(const Call& call, Oid language) {
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("the plans inside function %s are known only when it runs", call.signature),
             errdetail("It is in language %s.", get_language_name(language, false)),
             errhint("Have it run, with all that it does, and shown what it did: "
                     "explain_rpc_with('name', '[arguments]', '{\"analyze\": true}').")));
    pg_unreachable();
}

}  // namespace

List* ExplainCall(const Call& call, const Options& options) {
    HeapTuple function = SearchSysCache1(PROCOID, ObjectIdGetDatum(call.function));
    const Oid language = reinterpret_cast<Form_pg_proc>(GETSTRUCT(function))->prolang;
    CheckMayExplain(function, call.signature);
    PlannedStmt* plan = PlanCall(call);
    List* texts;
    if (options.analyze) {
        texts = RunAndExplain(call, options, plan);
    } else if (IsInlined(plan, call.function)) {
        texts = ExplainInlined(call, options, plan);
    } else if (language == SQLlanguageId) {
        texts = ExplainBody(call, options, function);
    } else {
        RaiseKnownOnlyWhenRun(call, language);
    }
    ReleaseSysCache(function);
    return texts;
}

}  // namespace freshcrm::explain
