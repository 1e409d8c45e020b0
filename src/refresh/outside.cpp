#include "refresh/outside.hpp"

#include "pg/named_call.hpp"
#include "pg/tree_walker.hpp"
#include "refresh/settings_read.hpp"
#include "refresh/text_forms.hpp"

extern "C" {
#include "access/sysattr.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
}

#include <initializer_list>

namespace freshcrm::refresh {

namespace {

// A query that is being walked, within others.
struct Level {
    Outside* found;
    Query* query;
    const Level* outer;
};

RangeTblEntry* EntryOf(const Var* var, const Level* level) {
    for (Index up = var->varlevelsup; up > 0 && level != nullptr; --up) {
        level = level->outer;
    }
    if (level == nullptr || var->varno < 1 || var->varno > list_length(level->query->rtable)) {
        return nullptr;
    }
    return rt_fetch(var->varno, level->query->rtable);
}

void NoteOutputs(const List* arguments, bool as_json, const Level* level);

// A row that has no type of its own is written: its columns are those of what stands in FROM, or
// are listed.
bool NoteRecordOutput(Node* row, bool as_json, const Level* level) {
    if (IsA(row, RowExpr)) {
        NoteOutputs(reinterpret_cast<RowExpr*>(row)->args, as_json, level);
        return true;
    }
    if (!IsA(row, Var) || reinterpret_cast<Var*>(row)->varattno != InvalidAttrNumber) {
        return false;
    }
    const auto* var = reinterpret_cast<Var*>(row);
    RangeTblEntry* entry = EntryOf(var, level);
    if (entry == nullptr) {
        return false;
    }
    List* columns = NIL;
    expandRTE(entry, var->varno, 0, -1, false, nullptr, &columns);
    ListCell* cell;
    foreach (cell, columns) {
        NoteOutput(exprType(static_cast<Node*>(lfirst(cell))), as_json, level->found);
    }
    return true;
}

void NoteOutputOf(Node* value, bool as_json, const Level* level) {
    if (IsA(value, TargetEntry)) {
        value = reinterpret_cast<Node*>(reinterpret_cast<TargetEntry*>(value)->expr);
    }
    const Oid type = exprType(value);
    if (type != RECORDOID || !NoteRecordOutput(value, as_json, level)) {
        NoteOutput(type, as_json, level->found);
    }
}

void NoteOutputs(const List* arguments, bool as_json, const Level* level) {
    ListCell* cell;
    foreach (cell, arguments) {
        NoteOutputOf(static_cast<Node*>(lfirst(cell)), as_json, level);
    }
}

void NoteInputs(const List* types, const Level* level) {
    ListCell* cell;
    foreach (cell, types) {
        NoteInput(lfirst_oid(cell), level->found);
    }
}

// Whether the call was one by whose arguments or result it is what it depends on.
bool NoteCallByTypes(Node* node, const Level* level) {
    const pg::NamedCall call = pg::CallOf(node);
    uint32 settings;
    switch (OidIsValid(call.function) ? ReadsOf(call.function, &settings) : Reads::kUnknown) {
        case Reads::kWritesText:
            NoteOutputs(call.arguments, false, level);
            return true;
        case Reads::kWritesJson:
            NoteOutputs(call.arguments, true, level);
            return true;
        case Reads::kReadsText:
            // The columns of a record stand in FROM, where they are noted.
            if (exprType(node) != RECORDOID) {
                NoteInput(exprType(node), level->found);
            }
            return true;
        case Reads::kEnum:
            NoteEnum(getBaseType(exprType(static_cast<Node*>(linitial(call.arguments)))),
                     level->found);
            return true;
        default:
            return false;
    }
}

const char* NameOf(const SQLValueFunction* function) {
    switch (function->op) {
        case SVFOP_CURRENT_DATE:
            return "the time: it reads CURRENT_DATE";
        case SVFOP_CURRENT_TIME:
        case SVFOP_CURRENT_TIME_N:
            return "the time: it reads CURRENT_TIME";
        case SVFOP_CURRENT_TIMESTAMP:
        case SVFOP_CURRENT_TIMESTAMP_N:
            return "the time: it reads CURRENT_TIMESTAMP";
        case SVFOP_LOCALTIME:
        case SVFOP_LOCALTIME_N:
            return "the time: it reads LOCALTIME";
        case SVFOP_LOCALTIMESTAMP:
        case SVFOP_LOCALTIMESTAMP_N:
            return "the time: it reads LOCALTIMESTAMP";
        case SVFOP_CURRENT_CATALOG:
            return "the name of the database";
        case SVFOP_CURRENT_SCHEMA:
            return "the session: it reads CURRENT_SCHEMA";
        default:
            return "the session: it reads the current user";
    }
}

void NoteNode(Node* node, const Level* level) {
    Outside* found = level->found;
    switch (nodeTag(node)) {
        case T_Var: {
            const auto* var = reinterpret_cast<Var*>(node);
            if (var->varattno < 0 && var->varattno != TableOidAttributeNumber) {
                NoteReason(found, "it reads a system column, which VACUUM FULL and others change",
                           kComputeElsewhere);
            }
            break;
        }
        case T_SQLValueFunction:
            NoteReason(
                found,
                psprintf("it depends on %s", NameOf(reinterpret_cast<SQLValueFunction*>(node))),
                kComputeElsewhere);
            break;
        case T_NextValueExpr:
            NoteReason(found, "it takes values of a sequence", kComputeElsewhere);
            break;
        case T_CoerceViaIO: {
            const auto* cast = reinterpret_cast<CoerceViaIO*>(node);
            NoteOutputOf(reinterpret_cast<Node*>(cast->arg), false, level);
            NoteInput(cast->resulttype, found);
            break;
        }
        case T_XmlExpr: {
            const auto* xml = reinterpret_cast<XmlExpr*>(node);
            found->settings |= kXmlBinary | kXmlOption;
            NoteOutputs(xml->named_args, false, level);
            NoteOutputs(xml->args, false, level);
            break;
        }
        case T_TableFunc:
            NoteInputs(reinterpret_cast<TableFunc*>(node)->coltypes, level);
            break;
#if PG_VERSION_NUM >= 160000
        case T_JsonConstructorExpr:
            NoteReason(found, "it builds JSON by a constructor of SQL, which is not looked into",
                       "Use json_build_object() and its kin.");
            break;
#endif
#if PG_VERSION_NUM >= 170000
        case T_JsonExpr:
            NoteReason(found, "it queries JSON by a function of SQL, which is not looked into",
                       "Use jsonb_path_query() and its kin.");
            break;
#endif
        default:
            if (!NoteCallByTypes(node, level)) {
                (void)check_functions_in_node(
                    node,
                    [](Oid function, void* of) {
                        NoteFunction(function, static_cast<Outside*>(of));
                        return false;
                    },
                    found);
            }
    }
}

void NoteLevel(const Level* level);

bool NoteBelow(Node* node, void* arg) {
    const auto* level = static_cast<const Level*>(arg);
    if (node == nullptr) {
        return false;
    }
    if (IsA(node, Query)) {
        const Level below{level->found, reinterpret_cast<Query*>(node), level};
        NoteLevel(&below);
        return false;
    }
    NoteNode(node, level);
    return pg::WalkExpressionTree(node, NoteBelow, arg);
}

void NoteLevel(const Level* level) {
    check_stack_depth();
    ListCell* cell;
    foreach (cell, level->query->rtable) {
        const auto* entry = static_cast<RangeTblEntry*>(lfirst(cell));
        ListCell* function;
        foreach (function, entry->functions) {
            NoteInputs(static_cast<RangeTblFunction*>(lfirst(function))->funccoltypes, level);
        }
    }
    foreach (cell, level->query->windowClause) {
        const auto* window = static_cast<WindowClause*>(lfirst(cell));
        for (const Oid function : {window->startInRangeFunc, window->endInRangeFunc}) {
            if (OidIsValid(function)) {
                NoteFunction(function, level->found);
            }
        }
    }
    (void)pg::WalkQueryTree(level->query, NoteBelow, const_cast<Level*>(level));
}

}  // namespace

void NoteReason(Outside* found, const char* reason, const char* hint) {
    if (found->reason == nullptr) {
        found->reason = reason;
        found->hint = hint;
    }
}

void NoteQuery(Query* query, Outside* found) {
    const Level top{found, query, nullptr};
    NoteLevel(&top);
}

}  // namespace freshcrm::refresh
