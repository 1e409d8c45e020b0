#include "explain/call.hpp"

#include "explain/find.hpp"
#include "pg/names.hpp"
#include "pg/rights.hpp"

extern "C" {
#include "catalog/pg_proc.h"
#include "nodes/makefuncs.h"
#include "tcop/tcopprot.h"
#include "utils/datum.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
}

namespace freshcrm::explain {

namespace {

// The value as jsonb_to_record() makes it of a member of an object, which is how PostgREST calls.
Datum ReadJson(Jsonb* json, Oid type, bool* isnull) {
    MemoryContext caller = CurrentMemoryContext;
    SPI_connect();
    Oid types[] = {JSONBOID};
    Datum values[] = {JsonbPGetDatum(json)};
    const char* sql = psprintf(
        "SELECT r.v FROM pg_catalog.jsonb_to_record(pg_catalog.jsonb_build_object('v', $1)) AS r "
        "(v %s)",
        pg::QualifiedType(type, -1));
    if (SPI_execute_with_args(sql, 1, types, values, nullptr, true, 1) != SPI_OK_SELECT ||
        SPI_processed != 1) {
        elog(ERROR, "could not read an argument: %s", sql);
    }
    Datum value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, isnull);
    if (!*isnull) {
        int16 length;
        bool by_value;
        get_typlenbyval(type, &length, &by_value);
        MemoryContext spi = MemoryContextSwitchTo(caller);
        value = datumCopy(value, by_value, length);
        MemoryContextSwitchTo(spi);
    }
    SPI_finish();
    return value;
}

struct Reading {
    const char* signature;
    const Argument* argument;
    int number;
};

void AddContext(void* arg) {
    const auto* reading = static_cast<const Reading*>(arg);
    if (reading->argument->name != nullptr) {
        errcontext("argument \"%s\" of function %s", reading->argument->name, reading->signature);
    } else {
        errcontext("argument %d of function %s", reading->number, reading->signature);
    }
}

void Read(Argument* argument, Oid type) {
    argument->type = type;
    if (argument->json != nullptr) {
        argument->value = ReadJson(argument->json, type, &argument->isnull);
        return;
    }
    Oid input;
    Oid parameter;
    getTypeInputInfo(type, &input, &parameter);
    argument->isnull = argument->text == nullptr;
    argument->value = OidInputFunctionCall(input, argument->text, parameter, -1);
}

void ReadArguments(const Found& found, const char* signature, Argument* arguments, int count) {
    for (int i = 0; i < count; ++i) {
        if (!arguments[i].untyped || !IsReadable(found.types[i])) {
            continue;
        }
        Reading reading{signature, &arguments[i], i + 1};
        ErrorContextCallback context{error_context_stack, AddContext, &reading};
        error_context_stack = &context;
        Read(&arguments[i], found.types[i]);
        error_context_stack = context.previous;
    }
}

// A literal without a type where none is known, as one in a query.
Node* Literal(const Argument& argument) {
    char* text = argument.text;
    if (argument.json != nullptr) {
        text = JsonbToCString(nullptr, &argument.json->root, VARSIZE(argument.json));
    }
    A_Const* literal = makeNode(A_Const);
    literal->isnull = text == nullptr;
    if (text != nullptr) {
        literal->val.sval.type = T_String;
        literal->val.sval.sval = text;
    }
    literal->location = -1;
    return reinterpret_cast<Node*>(literal);
}

Node* RawArgument(const Argument& argument, int number) {
    Node* node;
    if (argument.type == UNKNOWNOID) {
        node = Literal(argument);
    } else {
        ParamRef* param = makeNode(ParamRef);
        param->number = number;
        param->location = -1;
        node = reinterpret_cast<Node*>(param);
    }
    if (argument.name != nullptr) {
        NamedArgExpr* named = makeNode(NamedArgExpr);
        named->name = pstrdup(argument.name);
        named->arg = reinterpret_cast<Expr*>(node);
        named->argnumber = -1;
        named->location = -1;
        node = reinterpret_cast<Node*>(named);
    }
    return node;
}

// Whether it returns rows of which it says what columns they have.
bool StandsInFrom(Oid function) {
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    const auto* form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
    const bool stands =
        form->proretset && (form->prorettype != RECORDOID ||
                            !heap_attisnull(tuple, Anum_pg_proc_proallargtypes, nullptr));
    ReleaseSysCache(tuple);
    return stands;
}

RawStmt* SelectFrom(FuncCall* call) {
    ColumnRef* star = makeNode(ColumnRef);
    star->fields = list_make1(makeNode(A_Star));
    star->location = -1;
    ResTarget* target = makeNode(ResTarget);
    target->val = reinterpret_cast<Node*>(star);
    target->location = -1;
    RangeFunction* from = makeNode(RangeFunction);
    from->functions = list_make1(list_make2(call, NIL));
    SelectStmt* select = makeNode(SelectStmt);
    select->targetList = list_make1(target);
    select->fromClause = list_make1(from);
    RawStmt* statement = makeNode(RawStmt);
    statement->stmt = reinterpret_cast<Node*>(select);
    return statement;
}

RawStmt* SelectOnly(FuncCall* call) {
    ResTarget* target = makeNode(ResTarget);
    target->val = reinterpret_cast<Node*>(call);
    target->location = -1;
    SelectStmt* select = makeNode(SelectStmt);
    select->targetList = list_make1(target);
    RawStmt* statement = makeNode(RawStmt);
    statement->stmt = reinterpret_cast<Node*>(select);
    return statement;
}

FuncExpr* CallIn(const Query* query) {
    Node* node;
    if (query->rtable != NIL) {
        const auto* entry = linitial_node(RangeTblEntry, query->rtable);
        node = linitial_node(RangeTblFunction, entry->functions)->funcexpr;
    } else {
        node = reinterpret_cast<Node*>(linitial_node(TargetEntry, query->targetList)->expr);
    }
    if (!IsA(node, FuncExpr)) {
        elog(ERROR, "unexpected call of a function: node %d", static_cast<int>(nodeTag(node)));
    }
    return reinterpret_cast<FuncExpr*>(node);
}

void MakeQuery(Call* call, const Found& found, const Argument* arguments, int count) {
    Oid types[FUNC_MAX_ARGS];
    List* nodes = NIL;
    call->params = makeParamList(count);
    for (int i = 0; i < count; ++i) {
        types[i] = arguments[i].type;
        nodes = lappend(nodes, RawArgument(arguments[i], i + 1));
        call->params->params[i] = {arguments[i].value, arguments[i].isnull, PARAM_FLAG_CONST,
                                   arguments[i].type};
    }
    FuncCall* raw = makeFuncCall(found.name, nodes, COERCE_EXPLICIT_CALL, -1);
    raw->func_variadic = found.variadic_by_name;
    const bool in_from = StandsInFrom(call->function);
    call->source = psprintf("%s%s", in_from ? "SELECT * FROM " : "SELECT ", call->signature);
    call->query = linitial_node(
        Query, pg_analyze_and_rewrite_fixedparams(in_from ? SelectFrom(raw) : SelectOnly(raw),
                                                  call->source, types, count, nullptr));
    call->expression = CallIn(call->query);
    call->returns_set = call->expression->funcretset;
    call->volatility = func_volatile(call->function);
}

}  // namespace

Call FindCall(const char* function, Argument* arguments, int count) {
    if (count > FUNC_MAX_ARGS) {
        ereport(ERROR, (errcode(ERRCODE_TOO_MANY_ARGUMENTS),
                        errmsg("a function has at most %d arguments", FUNC_MAX_ARGS)));
    }
    for (int i = 0; i < count; ++i) {
        arguments[i].untyped = arguments[i].type == UNKNOWNOID;
    }
    const Found found = FindFunction(function, arguments, count);
    pg::CheckMayExecute(found.function);
    Call call{};
    call.function = found.function;
    call.signature = format_procedure(found.function);
    ReadArguments(found, call.signature, arguments, count);
    MakeQuery(&call, found, arguments, count);
    if (call.expression->funcid != call.function) {
        RaiseAmbiguous(found.name, call.signature);
    }
    return call;
}

}  // namespace freshcrm::explain
