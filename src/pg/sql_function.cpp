#include "pg/sql_function.hpp"

extern "C" {
#include "catalog/pg_proc.h"
#include "executor/functions.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/tcopprot.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
}

namespace freshcrm::pg {

namespace {

List* Append(List* statements, const char* text, List* queries) {
    auto* statement = static_cast<SqlStatement*>(palloc(sizeof(SqlStatement)));
    *statement = {text, queries};
    return lappend(statements, statement);
}

const char* TextOf(const char* source, const RawStmt* raw) {
    const char* begin = source + raw->stmt_location;
    const Size length = raw->stmt_len > 0 ? static_cast<Size>(raw->stmt_len) : strlen(begin);
    return pnstrdup(begin, length);
}

List* ReadParsed(const char* body) {
    auto* node = static_cast<Node*>(stringToNode(body));
    List* queries = IsA(node, List) ? linitial_node(List, castNode(List, node)) : list_make1(node);
    List* statements = NIL;
    ListCell* cell;
    foreach (cell, queries) {
        auto* query = lfirst_node(Query, cell);
        // Before the rewriter has its way with it.
        const char* text = pg_get_querydef(query, false);
        AcquireRewriteLocks(query, true, false);
        statements = Append(statements, text, pg_rewrite_query(query));
    }
    return statements;
}

List* ReadSource(const char* source, SQLFunctionParseInfoPtr parameters) {
    List* statements = NIL;
    ListCell* cell;
    foreach (cell, pg_parse_query(source)) {
        auto* raw = lfirst_node(RawStmt, cell);
        statements = Append(statements, TextOf(source, raw),
                            pg_analyze_and_rewrite_withcb(
                                raw, source, reinterpret_cast<ParserSetupHook>(sql_fn_parser_setup),
                                parameters, nullptr));
    }
    return statements;
}

struct Source {
    const char* name;
    const char* text;
};

// A place in the function's text is none in that of the query that asks.
void AddContext(void* arg) {
    const auto* source = static_cast<const Source*>(arg);
    if (const int position = geterrposition(); position > 0 && *source->text != '\0') {
        errposition(0);
        internalerrposition(position);
        internalerrquery(source->text);
    }
    errcontext("SQL function \"%s\"", source->name);
}

// Adds to the last query what makes its columns those that the function returns.
void CoerceResult(List* statements, FuncExpr* call) {
    List* query_lists = NIL;
    ListCell* cell;
    foreach (cell, statements) {
        query_lists = lappend(query_lists, static_cast<SqlStatement*>(lfirst(cell))->queries);
    }
    check_sql_fn_statements(query_lists);
    Oid type;
    TupleDesc row;
    get_expr_result_type(reinterpret_cast<Node*>(call), &type, &row);
#if PG_VERSION_NUM < 170000
    check_sql_fn_retval(query_lists, type, row, false, nullptr);
#else
    check_sql_fn_retval(query_lists, type, row, PROKIND_FUNCTION, false, nullptr);
#endif
}

}  // namespace

List* StatementsOfSqlFunction(HeapTuple function, FuncExpr* call) {
    bool isnull;
    const Datum body = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_prosrc, &isnull);
    Source source{get_func_name(call->funcid), isnull ? "" : TextDatumGetCString(body)};
    ErrorContextCallback context{error_context_stack, AddContext, &source};
    error_context_stack = &context;
    const Datum parsed = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_prosqlbody, &isnull);
    List* statements =
        !isnull ? ReadParsed(TextDatumGetCString(parsed))
                : ReadSource(source.text,
                             prepare_sql_fn_parse_info(function, reinterpret_cast<Node*>(call),
                                                       call->inputcollid));
    CoerceResult(statements, call);
    error_context_stack = context.previous;
    return statements;
}

}  // namespace freshcrm::pg
