#include "explain/call.hpp"

#include "pg/names.hpp"
#include "pg/rights.hpp"
// The standard library after the server's headers.
#include <utility>

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "tcop/tcopprot.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/varlena.h"
}

namespace freshcrm::explain {

namespace {

// What the server's search for a function has found.
struct Found {
    Oid function;
    Oid* types;  // what it takes, argument by argument
    Oid result_type;
    const char* call;  // for messages
    bool variadic_by_name;
};

// Whether argument types follow the name.
bool HasArgumentTypes(const char* function) {
    bool quoted = false;
    for (const char* c = function; *c != '\0'; ++c) {
        quoted = quoted != (*c == '"');
        if (*c == '(' && !quoted) {
            return true;
        }
    }
    return false;
}

List* QualifiedName(Oid function) {
    return list_make2(makeString(get_namespace_name(get_func_namespace(function))),
                      makeString(get_func_name(function)));
}

// By which the server would read an argument of unknown type: not any type, nor one that another
// argument decides.
bool IsReadable(Oid type) {
    return OidIsValid(type) && !IsPolymorphicType(type) && get_typtype(type) != TYPTYPE_PSEUDO;
}

// Arguments without a type get that of the parameter, where the function has been named with its
// types.
void TakeParameterTypes(Oid function, Argument* arguments, int count) {
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    const auto* form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
    const int variadic = OidIsValid(form->provariadic) ? form->pronargs - 1 : form->pronargs;
    Oid* types;
    char** names;
    char* modes;
    const int all = get_func_arg_info(tuple, &types, &names, &modes);
    for (int i = 0; i < count; ++i) {
        int input = 0;
        for (int j = 0; j < all; ++j) {
            if (modes != nullptr && (modes[j] == PROARGMODE_OUT || modes[j] == PROARGMODE_TABLE)) {
                continue;
            }
            const bool same = arguments[i].name == nullptr
                                  ? input == i && input < variadic
                                  : names != nullptr && strcmp(names[j], arguments[i].name) == 0;
            if (same && arguments[i].type == UNKNOWNOID && IsReadable(types[j])) {
                arguments[i].type = types[j];
            }
            ++input;
        }
    }
    ReleaseSysCache(tuple);
}

const char* Candidates(List* name) {
    StringInfoData list;
    initStringInfo(&list);
    for (FuncCandidateList candidate =
             FuncnameGetCandidates(name, -1, NIL, false, false, false, true);
         candidate != nullptr; candidate = candidate->next) {
        appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", format_procedure(candidate->oid));
    }
    return list.len > 0
               ? psprintf("There is %s.", list.data)
               : "There is no function of this name in the search_path: write schema.name.";
}

[[noreturn]] void RaiseNoFunction(List* name, const char* call) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION), errmsg("function %s does not exist", call),
                    errhint("%s", Candidates(name))));
    pg_unreachable();
}

[[noreturn]] void RaiseAmbiguous(List* name, const char* call) {
    ereport(ERROR, (errcode(ERRCODE_AMBIGUOUS_FUNCTION), errmsg("function %s is not unique", call),
                    errdetail("%s", Candidates(name)),
                    errhint("Give the argument types with the name, as in 'name(uuid, text)', or "
                            "cast the arguments.")));
    pg_unreachable();
}

[[noreturn]] void RaiseKind(Oid function, const char* kind) {
    ereport(
        ERROR,
        (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("%s is %s", format_procedure(function), kind),
         errdetail("Only functions that a query calls by themselves can be explained.")));
    pg_unreachable();
}

FuncDetailCode Search(List* name, const Argument* arguments, int count, bool expand_variadic,
                      Found* found) {
    Oid types[FUNC_MAX_ARGS];
    List* nodes = NIL;
    List* names = NIL;
    for (int i = 0; i < count; ++i) {
        types[i] = arguments[i].type;
        nodes = lappend(nodes, makeNullConst(types[i], -1, InvalidOid));
        if (arguments[i].name != nullptr) {
            names = lappend(names, pstrdup(arguments[i].name));
        }
    }
    bool returns_set;
    int variadic_count;
    Oid variadic_type;
    List* defaults;
    const FuncDetailCode code =
        func_get_detail(name, nodes, names, count, types, expand_variadic, true, false,
                        &found->function, &found->result_type, &returns_set, &variadic_count,
                        &variadic_type, &found->types, &defaults);
    found->call = func_signature_string(name, count, names, types);
    return code;
}

// A parameter that takes all further arguments can be named, and is given as the array that it is:
// the server wants that argument to be the last.
FuncDetailCode SearchVariadicByName(List* name, Argument* arguments, int count, Found* found) {
    for (int i = count - 1; i >= 0; --i) {
        std::swap(arguments[i], arguments[count - 1]);
        const FuncDetailCode code = Search(name, arguments, count, false, found);
        if (code != FUNCDETAIL_NOTFOUND) {
            found->variadic_by_name = true;
            return code;
        }
    }
    return FUNCDETAIL_NOTFOUND;
}

Found Find(List* name, Argument* arguments, int count) {
    Found found{};
    FuncDetailCode code = Search(name, arguments, count, true, &found);
    const char* call = found.call;
    if (code == FUNCDETAIL_NOTFOUND && count > 0 && arguments[0].name != nullptr) {
        code = SearchVariadicByName(name, arguments, count, &found);
    }
    switch (code) {
        case FUNCDETAIL_NORMAL:
            break;
        case FUNCDETAIL_AGGREGATE:
            RaiseKind(found.function, "an aggregate function");
        case FUNCDETAIL_WINDOWFUNC:
            RaiseKind(found.function, "a window function");
        case FUNCDETAIL_PROCEDURE:
            RaiseKind(found.function, "a procedure");
        case FUNCDETAIL_MULTIPLE:
            RaiseAmbiguous(name, call);
        default:
            RaiseNoFunction(name, call);
    }
    if (found.result_type == TRIGGEROID || found.result_type == EVENT_TRIGGEROID) {
        RaiseKind(found.function, "a trigger function");
    }
    return found;
}

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

void MakeQuery(Call* call, List* name, bool variadic_by_name, const Argument* arguments,
               int count) {
    Oid types[FUNC_MAX_ARGS];
    List* nodes = NIL;
    call->params = makeParamList(count);
    for (int i = 0; i < count; ++i) {
        types[i] = arguments[i].type;
        nodes = lappend(nodes, RawArgument(arguments[i], i + 1));
        call->params->params[i] = {arguments[i].value, arguments[i].isnull, PARAM_FLAG_CONST,
                                   arguments[i].type};
    }
    FuncCall* raw = makeFuncCall(name, nodes, COERCE_EXPLICIT_CALL, -1);
    raw->func_variadic = variadic_by_name;
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
    Oid wanted = InvalidOid;
    List* name;
    if (HasArgumentTypes(function)) {
        wanted = DatumGetObjectId(DirectFunctionCall1(regprocedurein, CStringGetDatum(function)));
        name = QualifiedName(wanted);
        TakeParameterTypes(wanted, arguments, count);
    } else {
        name = textToQualifiedNameList(cstring_to_text(function));
    }
    const Found found = Find(name, arguments, count);
    Call call{};
    call.function = found.function;
    call.signature = format_procedure(found.function);
    if (OidIsValid(wanted) && found.function != wanted) {
        RaiseAmbiguous(name, function);
    }
    pg::CheckMayExecute(found.function);
    ReadArguments(found, call.signature, arguments, count);
    MakeQuery(&call, name, found.variadic_by_name, arguments, count);
    if (call.expression->funcid != call.function) {
        RaiseAmbiguous(name, call.signature);
    }
    return call;
}

}  // namespace freshcrm::explain
