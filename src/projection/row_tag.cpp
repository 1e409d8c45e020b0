#include "projection/row_tag.hpp"

#include "pg/names.hpp"
#include "pg/owner_scope.hpp"
#include "pg/rights.hpp"
#include "pg/spi.hpp"
#include "projection/deferred.hpp"
#include "projection/definition.hpp"
#include "projection/dependencies.hpp"
#include "projection/flush.hpp"
#include "projection/key_argument.hpp"
#include "projection/locks.hpp"
#include "projection/maintain.hpp"
#include "projection/recompute.hpp"
#include "projection/statements.hpp"

extern "C" {
#include "access/xact.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// What is committed may not have been followed yet.
bool MayBeBehind(Mode mode, OnError on_error, const char* problem) {
    return mode == Mode::kAsync || on_error == OnError::kStale || problem != nullptr;
}

void CheckNotRestored(const Definition* definition) {
    if (IsRestored(definition)) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("projection %s may be out of date",
                               pg::RelationForMessage(definition->target)),
                        errdetail("It was restored and has not been compared with its view since."),
                        errhint("Call freshcrm.verify_projection() with repair.")));
    }
}

// A recompute reads the tables of other projections as they are.
void CheckBelow(const Definition* definition) {
    check_stack_depth();
    ListCell* cell;
    foreach (cell, BaseTables(definition->source)) {
        const Definition* below = FindDefinitionOf(lfirst_oid(cell));
        if (below == nullptr) {
            continue;
        }
        CheckNotRestored(below);
        if (MayBeBehind(ModeNamed(below->mode), ErrorPolicyNamed(below->on_error),
                        below->problem)) {
            ereport(ERROR,
                    (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                     errmsg("the current row of projection %s is not known",
                            pg::RelationForMessage(definition->target)),
                     errdetail("It is made of projection %s, which may be behind.",
                               pg::RelationForMessage(below->target)),
                     errhint("Let that one have mode immediate or commit, and on_error abort.")));
        }
        CheckBelow(below);
    }
}

// Prepared under a search_path of freshcrm's own, and run with the caller's rights.
SPIPlanPtr TagStatement(Projection* projection) {
    if (projection->statements.tag != nullptr) {
        return projection->statements.tag;
    }
    const pg::OwnerScope scope = pg::BeginPinnedSearchPath();
    SPIPlanPtr statement = StoredTag(projection);
    pg::EndAsOwner(scope);
    return statement;
}

// In `context`; null when there is no row.
const char* SelectTag(Projection* projection, Datum* key, MemoryContext context) {
    pg::Select(TagStatement(projection), key, nullptr);
    if (SPI_processed == 0) {
        return nullptr;
    }
    const char* tag = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
    const char* copy = tag == nullptr ? nullptr : MemoryContextStrdup(context, tag);
    SPI_freetuptable(SPI_tuptable);
    return copy;
}

bool Same(const char* a, const char* b) {
    return a == nullptr || b == nullptr ? a == b : strcmp(a, b) == 0;
}

RowTag ReadTag(Projection* projection, Datum* key) {
    MemoryContext caller = CurrentMemoryContext;
    SPI_connect();
    pg::PushFreshSnapshot();
    RowTag row{SelectTag(projection, key, caller), false};
    PopActiveSnapshot();
    if (IsolationUsesXactSnapshot()) {
        PushActiveSnapshot(GetTransactionSnapshot());
        row.newer = !Same(row.tag, SelectTag(projection, key, caller));
        PopActiveSnapshot();
    }
    SPI_finish();
    return row;
}

}  // namespace

RowTag LockRowTag(Oid target, Oid key_type, const NullableDatum& key) {
    const Definition* definition = FindTarget(target);
    // The statement itself checks the columns that it reads.
    pg::CheckMayRead(target);
    CheckNotRestored(definition);
    if (AnyDeferred(Mode::kCommit)) {
        FlushDeferred();
    }
    Projection* projection = OpenProjection(definition->id);
    if (projection->rank > 0) {
        CheckBelow(definition);
    }
    auto* values =
        static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(projection->key_count)));
    if (key.isnull || !ReadKey(projection, key_type, key.value, values)) {
        return {};
    }
    KeySet keys = MakeProjectionKeys(projection, CurrentMemoryContext);
    Add(&keys, values);
    SortUnique(&keys);
    LockKeys(projection, &keys);
    // By now it may have another mode than the definition that was read before the locks.
    if (MayBeBehind(projection->mode, projection->on_error, definition->problem)) {
        PreventCommandIfReadOnly("freshcrm.check_match()");
        PreventCommandDuringRecovery("freshcrm.check_match()");
        Maintain(projection, [&] { RecomputeKeys(projection, &keys); });
    }
    return ReadTag(projection, values);
}

bool IsKept(Oid table) {
    const Definition* definition = FindDefinitionOf(table);
    return definition != nullptr && !IsRestored(definition);
}

}  // namespace freshcrm::projection
