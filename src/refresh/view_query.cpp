#include "refresh/view_query.hpp"

#include "pg/names.hpp"

extern "C" {
#include "access/relation.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_rewrite.h"
#include "nodes/nodes.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteDefine.h"
#include "storage/lmgr.h"
#include "utils/syscache.h"
}

namespace freshcrm::refresh {

namespace {

// As the relation cache has it.
Query* CachedQuery(Relation view) {
    const RuleLock* rules = view->rd_rules;
    for (int i = 0; rules != nullptr && i < rules->numLocks; ++i) {
        const RewriteRule* rule = rules->rules[i];
        if (rule->event == CMD_SELECT && list_length(rule->actions) == 1) {
            return static_cast<Query*>(copyObjectImpl(linitial(rule->actions)));
        }
    }
    return nullptr;
}

bool IsSecurityInvoker(Oid view) {
    HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(view));
    if (!HeapTupleIsValid(row)) {
        return false;
    }
    Relation classes = table_open(RelationRelationId, AccessShareLock);
    const auto* options =
        reinterpret_cast<ViewOptions*>(extractRelOptions(row, RelationGetDescr(classes), nullptr));
    const bool invoker = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relkind == RELKIND_VIEW &&
                         options != nullptr && options->security_invoker;
    table_close(classes, AccessShareLock);
    ReleaseSysCache(row);
    return invoker;
}

// As the catalog has it, and RelationBuildRuleLock() puts it into the relation cache.
Query* CatalogQuery(Oid view) {
    HeapTuple rule =
        SearchSysCache2(RULERELNAME, ObjectIdGetDatum(view), CStringGetDatum("_RETURN"));
    if (!HeapTupleIsValid(rule)) {
        return nullptr;
    }
    bool isnull;
    const Datum action = SysCacheGetAttr(RULERELNAME, rule, Anum_pg_rewrite_ev_action, &isnull);
    auto* actions = static_cast<List*>(stringToNode(TextDatumGetCString(action)));
    ReleaseSysCache(rule);
    auto* query = static_cast<Query*>(linitial(actions));
    if (!IsSecurityInvoker(view)) {
        setRuleCheckAsUser(reinterpret_cast<Node*>(query), pg::OwnerOfRelation(view));
    }
    return query;
}

}  // namespace

Query* QueryOf(Oid view) {
    Query* query;
    if (ConditionalLockRelationOid(view, AccessShareLock)) {
        Relation relation = relation_open(view, NoLock);
        query = CachedQuery(relation);
        relation_close(relation, AccessShareLock);
    } else {
        query = CatalogQuery(view);
    }
    if (query == nullptr) {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("view %s has no query", pg::RelationForMessage(view))));
    }
    return query;
}

}  // namespace freshcrm::refresh
