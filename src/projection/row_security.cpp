#include "projection/row_security.hpp"

#include "pg/names.hpp"
#include "projection/query_level.hpp"

extern "C" {
#include "access/attmap.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteManip.h"
#include "rewrite/rowsecurity.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/ruleutils.h"
}

namespace freshcrm::projection {

namespace {

struct Templates {
    const Projection* projection;
    WalkedView* view;
    ReturnSetInfo* result;
    List* names;  // of the policies made so far: C strings
    bool first;   // no table with policies came before
};

// A table of the view, at one place of its query.
struct Table {
    Relation relation;
    AttrMap* columns;  // the target's column for each of its own, or 0
};

// Invalid and null where the row is not about a table or a policy.
void AddRow(const Templates& templates, Oid table, const char* policy, const char* text) {
    Datum values[] = {ObjectIdGetDatum(table), Datum{0}, CStringGetTextDatum(text)};
    bool nulls[] = {!OidIsValid(table), policy == nullptr, false};
    if (policy != nullptr) {
        values[1] = DirectFunctionCall1(namein, CStringGetDatum(policy));
    }
    tuplestore_putvalues(templates.result->setResult, templates.result->setDesc, values, nulls);
}

// A line break in a name would end the comment that it stands in, and start a statement.
const char* ForComment(const char* name) {
    char* copy = pstrdup(name);
    for (char* c = copy; *c != '\0'; ++c) {
        if (*c == '\n' || *c == '\r') {
            *c = ' ';
        }
    }
    return copy;
}

bool IsTaken(const List* names, const char* name) {
    ListCell* cell;
    foreach (cell, names) {
        if (strcmp(static_cast<char*>(lfirst(cell)), name) == 0) {
            return true;
        }
    }
    return false;
}

// `wanted`, or where a policy of another table has that name, one made of both names.
const char* NewName(Templates* templates, const char* wanted, const char* table) {
    char* name = pstrdup(wanted);
    for (int i = 1; IsTaken(templates->names, name); ++i) {
        name = makeObjectName(wanted, table, i == 1 ? nullptr : psprintf("%d", i));
    }
    templates->names = lappend(templates->names, name);
    return name;
}

const char* Statement(Templates* templates, const char* wanted, const Table& table, bool permissive,
                      const char* roles, const char* condition) {
    return psprintf(
        "CREATE POLICY %s ON %s AS %s FOR SELECT TO %s USING (%s)",
        quote_identifier(NewName(templates, wanted, RelationGetRelationName(table.relation))),
        pg::QualifiedRelation(templates->projection->target),
        permissive ? "PERMISSIVE" : "RESTRICTIVE", roles, condition);
}

// The target's columns that are plain copies of the occurrence's, of the same type.
AttrMap* CopiedColumns(const Templates& templates, Relation table, int occurrence) {
    const Projection* projection = templates.projection;
    AttrMap* map = make_attrmap(RelationGetNumberOfAttributes(table));
    for (int i = 0; i < projection->columns->natts; ++i) {
        List* resolved =
            ResolveOutput(templates.view, templates.view->top, static_cast<AttrNumber>(i + 1));
        if (list_length(resolved) != 1) {
            continue;
        }
        const auto& from = *static_cast<Resolved*>(linitial(resolved));
        if (from.column.occurrence != occurrence || from.column.column <= 0 || from.element ||
            from.branches != NIL || map->attnums[from.column.column - 1] != 0) {
            continue;
        }
        const auto* original = TupleDescAttr(RelationGetDescr(table), from.column.column - 1);
        const auto* copy = TupleDescAttr(projection->columns, i);
        if (original->atttypid == copy->atttypid && original->attcollation == copy->attcollation) {
            map->attnums[from.column.column - 1] =
                get_attnum(projection->target, projection->stored_names[i]);
        }
    }
    return map;
}

// What of the table the condition reads and the target lacks, or null.
const char* MissingColumn(const Table& table, Node* condition) {
    ListCell* cell;
    foreach (cell, pull_vars_of_level(condition, 0)) {
        const AttrNumber attnum = static_cast<Var*>(lfirst(cell))->varattno;
        if (attnum == InvalidAttrNumber) {
            return "the row as a whole";
        }
        if (attnum < 0 || table.columns->attnums[attnum - 1] == 0) {
            return psprintf("column \"%s\"",
                            get_attname(RelationGetRelid(table.relation), attnum, false));
        }
    }
    return nullptr;
}

const char* Condition(const Templates& templates, const Table& table, Node* condition) {
    const Oid target = templates.projection->target;
    bool whole_row;
    Node* mapped = map_variable_attnos(condition, 1, 0, table.columns, InvalidOid, &whole_row);
    return deparse_expression(mapped, deparse_context_for(get_rel_name(target), target), false,
                              false);
}

// Joins `text(role)` for each role of the policy; null when PUBLIC is among them.
template <typename Text>
const char* Roles(const RowSecurityPolicy& policy, const char* separator, Text text) {
    const auto* roles = reinterpret_cast<Oid*>(ARR_DATA_PTR(policy.roles));
    StringInfoData list;
    initStringInfo(&list);
    for (int i = 0; i < ARR_DIMS(policy.roles)[0]; ++i) {
        if (roles[i] == ACL_ID_PUBLIC) {
            return nullptr;
        }
        appendStringInfo(&list, "%s%s", i > 0 ? separator : "",
                         text(GetUserNameFromId(roles[i], false)));
    }
    return list.data;
}

const char* RoleList(const RowSecurityPolicy& policy) {
    const char* list = Roles(policy, ", ", [](const char* role) { return quote_identifier(role); });
    return list != nullptr ? list : "PUBLIC";
}

// The policy's condition for those of its roles alone, in parentheses.
const char* ConditionForRoles(const RowSecurityPolicy& policy, const char* condition) {
    const char* is_role = Roles(policy, " OR ", [](const char* role) {
        return psprintf("pg_catalog.pg_has_role(%s, 'USAGE')", quote_literal_cstr(role));
    });
    return is_role != nullptr ? psprintf("((%s) AND (%s))", is_role, condition)
                              : psprintf("(%s)", condition);
}

void AddComment(const Templates& templates, const Table& table, const RowSecurityPolicy& policy,
                const char* missing, bool hides) {
    const Oid relid = RelationGetRelid(table.relation);
    const char* comment = ForComment(psprintf(
        "policy \"%s\" of table %s reads %s, of which the view has no plain copy: without it the "
        "projection %s",
        policy.policy_name, pg::RelationForMessage(relid), missing,
        hides ? "hides rows that the policy shows" : "shows rows that the policy hides"));
    AddRow(templates, relid, policy.policy_name, psprintf("-- %s", comment));
}

bool DecidesSelect(const RowSecurityPolicy& policy) {
    return (policy.polcmd == '*' || policy.polcmd == ACL_SELECT_CHR) && policy.qual != nullptr;
}

int CompareNames(const ListCell* a, const ListCell* b) {
    return strcmp(static_cast<RowSecurityPolicy*>(lfirst(a))->policy_name,
                  static_cast<RowSecurityPolicy*>(lfirst(b))->policy_name);
}

List* PoliciesOf(Relation relation) {
    List* policies = list_copy(relation->rd_rsdesc->policies);
    list_sort(policies, CompareNames);
    return policies;
}

// Whether a permissive policy of the table can be copied.
bool AnyCopied(const Table& table, const List* policies) {
    ListCell* cell;
    foreach (cell, policies) {
        const auto& policy = *static_cast<RowSecurityPolicy*>(lfirst(cell));
        if (policy.permissive && DecidesSelect(policy) &&
            MissingColumn(table, reinterpret_cast<Node*>(policy.qual)) == nullptr) {
            return true;
        }
    }
    return false;
}

// What the permissive policies of a table that is not the first allow, as one restrictive policy.
struct Union {
    StringInfoData conditions;
    int policies;
};

void AddUnion(Templates* templates, const Table& table, const Union& all) {
    // Without a permissive policy nothing is shown; where none can be copied, comments have said
    // so.
    if (all.conditions.len > 0 || all.policies == 0) {
        const char* condition = all.policies == 0 ? "false" : all.conditions.data;
        AddRow(*templates, RelationGetRelid(table.relation), nullptr,
               Statement(templates, RelationGetRelationName(table.relation), table, false, "PUBLIC",
                         condition));
    }
}

void AddPolicies(Templates* templates, const Table& table) {
    Union all{};
    initStringInfo(&all.conditions);
    const List* policies = PoliciesOf(table.relation);
    const bool fewer = templates->first || AnyCopied(table, policies);
    ListCell* cell;
    foreach (cell, policies) {
        const auto& policy = *static_cast<RowSecurityPolicy*>(lfirst(cell));
        if (!DecidesSelect(policy)) {
            continue;
        }
        auto* qual = reinterpret_cast<Node*>(policy.qual);
        const bool united = policy.permissive && !templates->first;
        all.policies += united ? 1 : 0;
        if (const char* missing = MissingColumn(table, qual)) {
            AddComment(*templates, table, policy, missing, policy.permissive && fewer);
            continue;
        }
        const char* condition = Condition(*templates, table, qual);
        if (united) {
            appendStringInfo(&all.conditions, "%s%s", all.conditions.len > 0 ? " OR " : "",
                             ConditionForRoles(policy, condition));
        } else {
            AddRow(*templates, RelationGetRelid(table.relation), policy.policy_name,
                   Statement(templates, policy.policy_name, table, policy.permissive,
                             RoleList(policy), condition));
        }
    }
    if (!templates->first) {
        AddUnion(templates, table, all);
    }
    templates->first = false;
}

WalkedView* WalkAgain(const Projection* projection) {
    List* fallbacks = NIL;
    for (int i = 0; i < projection->lineage->source_count; ++i) {
        if (const Fallback* fallback = projection->lineage->sources[i].fallback) {
            fallbacks = lappend(fallbacks, const_cast<Fallback*>(fallback));
        }
    }
    return WalkView(projection->source, NIL, fallbacks);
}

}  // namespace

void ExplainRowSecurity(const Projection* projection, ReturnSetInfo* result) {
    Templates templates{projection, WalkAgain(projection), result, NIL, true};
    for (int i = 0; i < list_length(templates.view->occurrences); ++i) {
        Relation relation = table_open(OccurrenceAt(*templates.view, i).relid, AccessShareLock);
        if (relation->rd_rel->relrowsecurity) {
            if (templates.first) {
                AddRow(templates, InvalidOid, nullptr,
                       psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY",
                                pg::QualifiedRelation(projection->target)));
            }
            AddPolicies(&templates, {relation, CopiedColumns(templates, relation, i)});
        }
        table_close(relation, NoLock);
    }
}

}  // namespace freshcrm::projection
