#include "projection/target_guard.hpp"

#include "pg/ddl.hpp"
#include "pg/names.hpp"
#include "pg/own_functions.hpp"
#include "pg/spi.hpp"
#include "projection/definition.hpp"

extern "C" {
#include "access/relation.h"
#include "catalog/dependency.h"
#include "catalog/pg_trigger.h"
}

namespace freshcrm::projection {

namespace {

constexpr int16 kEveryWrite = TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
                              TRIGGER_TYPE_DELETE | TRIGGER_TYPE_TRUNCATE;

Oid GuardFunction() {
    return pg::OwnFunction("guard_target", 0, nullptr, false);
}

struct Guard {
    Oid oid;  // invalid when the table has none, or is gone
    const char* name;
    bool whole;     // for every write
    bool disabled;  // as far as writes in the roles origin and local are concerned
};

Guard FindGuard(Oid target) {
    CommandCounterIncrement();
    Relation relation = try_relation_open(target, AccessShareLock);
    if (relation == nullptr) {
        return {};
    }
    const Oid function = GuardFunction();
    const TriggerDesc* triggers = relation->trigdesc;
    Guard found{};
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
        const Trigger& trigger = triggers->triggers[i];
        if (trigger.tgfoid == function) {
            found = {
                trigger.tgoid, pstrdup(trigger.tgname),
                trigger.tgtype == kEveryWrite && trigger.tgqual == nullptr && trigger.tgnattr == 0,
                trigger.tgenabled == TRIGGER_DISABLED ||
                    trigger.tgenabled == TRIGGER_FIRES_ON_REPLICA};
        }
    }
    relation_close(relation, NoLock);
    return found;
}

void Drop(const Guard& guard) {
    if (OidIsValid(guard.oid)) {
        const ObjectAddress address = {TriggerRelationId, guard.oid, 0};
        performDeletion(&address, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
    }
}

struct Context {
    Oid user;
    int security;
};

Context CurrentContext() {
    Context context{};
    GetUserIdAndSecContext(&context.user, &context.security);
    return context;
}

// A refresh of a materialized view runs its functions restricted, too, but not as this table's
// owner, unless that one asked for it.
bool IsUpkeep(const Context& context, Relation target) {
    return (context.security & SECURITY_RESTRICTED_OPERATION) != 0 &&
           context.user == target->rd_rel->relowner;
}

// An action of a foreign key of the table, such as ON DELETE CASCADE: ri_triggers.c alone sets it.
bool IsForeignKeyAction(const Context& context) {
    return (context.security & SECURITY_NOFORCE_RLS) != 0;
}

[[noreturn]] void Refuse(const Definition* definition, bool by_foreign_key) {
    const char* view = pg::RelationForMessage(definition->source);
    ereport(
        ERROR,
        (errcode(ERRCODE_WRONG_OBJECT_TYPE),
         errmsg("cannot change projection %s directly", pg::RelationForMessage(definition->target)),
         by_foreign_key
             ? errdetail("An action of a foreign key of the table would make it differ from the "
                         "view %s.",
                         view)
             : errdetail(
                   "It always equals the view %s, kept by triggers on the tables of the view.",
                   view),
         by_foreign_key
             ? errhint("Drop the foreign key, or create the projection with the option "
                       "{\"direct_writes\": true}.")
             : errhint("Write to the tables of the view; or create the projection with the option "
                       "{\"direct_writes\": true}.")));
    pg_unreachable();
}

}  // namespace

void GuardTarget(const TriggerData* trigger) {
    if (!TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
        !TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.guard_target() must be called BEFORE a statement"),
                        errhint("Create projections with freshcrm.create_projection().")));
    }
    const Context context = CurrentContext();
    if (IsUpkeep(context, trigger->tg_relation)) {
        return;
    }
    const Definition* definition = FindDefinitionOf(RelationGetRelid(trigger->tg_relation));
    if (definition != nullptr && IsWhole(definition)) {
        Refuse(definition, IsForeignKeyAction(context));
    }
}

bool IsGuard(const Trigger& trigger) {
    return trigger.tgfoid == GuardFunction() && trigger.tgtype == kEveryWrite;
}

void CreateGuard(Oid target) {
    const Guard guard = FindGuard(target);
    if (guard.whole) {
        if (guard.disabled) {
            pg::SetTriggerFiring(target, guard.name, TRIGGER_FIRES_ON_ORIGIN);
        }
        return;
    }
    Drop(guard);
    const char* sql = psprintf(
        "CREATE TRIGGER freshcrm_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s "
        "FOR EACH STATEMENT EXECUTE FUNCTION freshcrm.guard_target()",
        pg::QualifiedRelation(target));
    pg::RunUtility(sql);
}

void DropGuard(Oid target) {
    Drop(FindGuard(target));
}

}  // namespace freshcrm::projection
