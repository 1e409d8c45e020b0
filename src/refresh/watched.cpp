#include "refresh/watched.hpp"

#include "pg/names.hpp"

extern "C" {
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
}

namespace freshcrm::refresh {

namespace {

struct Wanted {
    const char* name;
    char firing;  // TRIGGER_FIRES_…
    const char* enable;
};
constexpr Wanted kTriggers[] = {{"freshcrm_watch", TRIGGER_FIRES_ALWAYS, "ALWAYS"},
                                {"freshcrm_watch_replica", TRIGGER_FIRES_ON_REPLICA, "REPLICA"}};

Oid NoteFunctionOid() {
    List* name = list_make2(makeString(pstrdup("freshcrm")), makeString(pstrdup("note_change")));
    return LookupFuncName(name, 0, nullptr, true);
}

const Trigger* FindTrigger(Relation table, const char* name, Oid function) {
    const TriggerDesc* triggers = table->trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
        const Trigger* trigger = &triggers->triggers[i];
        if (strcmp(trigger->tgname, name) == 0 && trigger->tgfoid == function) {
            return trigger;
        }
    }
    return nullptr;
}

Watch Missing(Oid relid, Oid owner) {
    if (pg_class_aclcheck(relid, owner, ACL_TRIGGER) == ACLCHECK_OK) {
        return {"its changes are not recorded",
                psprintf("SELECT freshcrm.watch_table(%s);",
                         quote_literal_cstr(pg::QualifiedRelation(relid)))};
    }
    const char* role = GetUserNameFromId(owner, true);
    return {psprintf("its changes are not recorded: role %s may not create triggers on it", role),
            psprintf("GRANT TRIGGER ON %s TO %s;", pg::QualifiedRelation(relid),
                     quote_identifier(role))};
}

}  // namespace

Watch WatchOf(Oid relid, Oid owner) {
    if (get_rel_relkind(relid) == RELKIND_MATVIEW) {
        return {};
    }
    Relation table = relation_open(relid, AccessShareLock);
    const Oid function = NoteFunctionOid();
    Watch watch{};
    for (const Wanted& wanted : kTriggers) {
        // Rows are in the partitions.
        if (wanted.firing == TRIGGER_FIRES_ON_REPLICA &&
            table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE) {
            continue;
        }
        const Trigger* trigger = FindTrigger(table, wanted.name, function);
        if (trigger == nullptr) {
            watch = Missing(relid, owner);
            break;
        }
        if (trigger->tgenabled != wanted.firing) {
            watch = {psprintf("its trigger %s is not enabled %s", wanted.name, wanted.enable),
                     psprintf("ALTER TABLE %s ENABLE %s TRIGGER %s;", pg::QualifiedRelation(relid),
                              wanted.enable, wanted.name)};
            break;
        }
    }
    relation_close(table, NoLock);
    return watch;
}

}  // namespace freshcrm::refresh
