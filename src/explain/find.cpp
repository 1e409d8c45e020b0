#include "explain/find.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "utils/fmgrprotos.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/varlena.h"
}

#include <utility>

namespace freshcrm::explain {

namespace {

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

}  // namespace

bool IsReadable(Oid type) {
    return OidIsValid(type) && !IsPolymorphicType(type) && get_typtype(type) != TYPTYPE_PSEUDO;
}

void RaiseAmbiguous(List* name, const char* call) {
    ereport(ERROR, (errcode(ERRCODE_AMBIGUOUS_FUNCTION), errmsg("function %s is not unique", call),
                    errdetail("%s", Candidates(name)),
                    errhint("Give the argument types with the name, as in 'name(uuid, text)', or "
                            "cast the arguments.")));
    pg_unreachable();
}

Found FindFunction(const char* function, Argument* arguments, int count) {
    Oid wanted = InvalidOid;
    List* name;
    if (HasArgumentTypes(function)) {
        wanted = DatumGetObjectId(DirectFunctionCall1(regprocedurein, CStringGetDatum(function)));
        name = QualifiedName(wanted);
        TakeParameterTypes(wanted, arguments, count);
    } else {
        name = textToQualifiedNameList(cstring_to_text(function));
    }
    Found found = Find(name, arguments, count);
    found.name = name;
    if (OidIsValid(wanted) && found.function != wanted) {
        RaiseAmbiguous(name, function);
    }
    return found;
}

}  // namespace freshcrm::explain
