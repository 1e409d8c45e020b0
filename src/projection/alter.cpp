#include "projection/alter.hpp"

#include "pg/ddl.hpp"
#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "projection/build.hpp"
#include "projection/collection_fill.hpp"
#include "projection/definition.hpp"
#include "projection/dependencies.hpp"
#include "projection/drain.hpp"
#include "projection/flush.hpp"
#include "projection/maintain.hpp"
#include "projection/options.hpp"
#include "projection/queue.hpp"
#include "projection/target_guard.hpp"
#include "projection/triggers.hpp"
#include "projection/user_mapping.hpp"

extern "C" {
#include "access/xact.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
}

namespace freshcrm::projection {

namespace {

// An option as text, "" where it is not given.
const char* OptionText(Datum options, const char* name) {
    Datum arguments[] = {options, CStringGetTextDatum(name)};
    Oid types[] = {JSONBOID, TEXTOID};
    if (SPI_execute_with_args("SELECT pg_catalog.jsonb_object_field_text($1, $2)", 2, types,
                              arguments, nullptr, true, 1) != SPI_OK_SELECT) {
        elog(ERROR, "could not read an option");
    }
    const char* value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
    return value != nullptr ? value : "";
}

bool Differs(Datum before, Datum after, const char* name) {
    return strcmp(OptionText(before, name), OptionText(after, name)) != 0;
}

void RenameTriggers(const Projection* projection, Datum options) {
    SetWhole(projection->id, InvalidOid);
    DropTriggers(projection->id);
    CreateTriggers(projection, options);
    SetWhole(projection->id, projection->target);
}

// What the options say beside how tables are traced. Within SPI, as the owner.
void ApplyOptions(const Projection* projection, const Definition* before, Datum options) {
    if (Differs(before->options, options, "trigger_names")) {
        RenameTriggers(projection, options);
    }
    if (!before->target_adopted && Differs(before->options, options, "fillfactor")) {
        const char* sql =
            psprintf("ALTER TABLE %s SET (fillfactor = %d)",
                     pg::QualifiedRelation(projection->target), FillfactorOption(options));
        pg::RunUtility(sql);
    }
    if (DirectWritesOption(options)) {
        RefuseWithCollections(projection->target);
        DropGuard(projection->target);
    } else if (DirectWritesOption(before->options)) {
        CreateGuard(projection->target);
    }
}

void AlterAsOwner(const Definition* before, const Alteration& alteration) {
    Definition after = *before;
    after.mode = alteration.mode != nullptr ? alteration.mode : before->mode;
    after.on_error = alteration.on_error != nullptr ? alteration.on_error : before->on_error;
    const bool options_given = DatumGetPointer(alteration.options) != nullptr;
    if (options_given) {
        const List* tables = BaseTables(before->source);
        CheckOptions(alteration.options, tables);
        after.options = alteration.options;
        after.fallback_tables = FallbackTables(alteration.options, tables);
    }
    ChangeDefinition(after);
    CacheInvalidateRelcacheByRelid(before->target);
    CommandCounterIncrement();
    Projection* projection = OpenProjection(before->id);
    if (options_given) {
        Maintain(projection, [&] { CheckUserMappings(projection); });
        SPI_connect();
        ApplyOptions(projection, before, alteration.options);
        SPI_finish();
    }
}

// All who queued something for it have committed. A write that fails is to fail then, but what
// failed before cannot.
void DrainBefore(int32 id) {
    DrainAll(id, true);
    const Projection* projection = OpenProjection(id);
    const char* error = LastError(id);
    if (error != nullptr && projection->mode != Mode::kAsync &&
        projection->on_error == OnError::kAbort) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("projection %s is stale", projection->name),
                        errdetail("What it has still to follow fails: %s", error),
                        errhint("Remove the cause, or alter it to on_error stale.")));
    }
}

}  // namespace

void AlterProjection(Oid target, const Alteration& alteration) {
    if (alteration.mode != nullptr) {
        (void)ModeNamed(alteration.mode);
    }
    if (alteration.on_error != nullptr) {
        (void)ErrorPolicyNamed(alteration.on_error);
    }
    (void)FindOwned(target);
    LockRelationOid(target, ShareRowExclusiveLock);
    FlushDeferred();
    QueueDeferred();
    const Definition* definition = FindOwned(target);
    const pg::OwnerScope scope = pg::BeginAsOwner(pg::OwnerOfRelation(target));
    AlterAsOwner(definition, alteration);
    pg::EndAsOwner(scope);
    DrainBefore(definition->id);
}

}  // namespace freshcrm::projection
