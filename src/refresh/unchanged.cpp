#include "refresh/unchanged.hpp"

#include "refresh/sources.hpp"
#include "watch/changes.hpp"
#include "watch/watching.hpp"

extern "C" {
#include "storage/lmgr.h"
#include "utils/builtins.h"
}

#include <cstring>

namespace freshcrm::refresh {

namespace {

// Whether the rows of the view follow from what is watched.
bool CanBeKnown(const Sources& sources) {
    if (sources.never_skipped != nullptr) {
        return false;
    }
    ListCell* cell;
    foreach (cell, sources.tables) {
        if (watch::WatchProblem(lfirst_oid(cell)) != nullptr) {
            return false;
        }
    }
    return true;
}

// Somebody truncates or alters one of them. A refresh waits for that, as long as the view's
// lock_timeout says; the question whether there is anything to refresh does not.
bool IsAnyLocked(const List* tables) {
    ListCell* cell;
    foreach (cell, tables) {
        if (!ConditionalLockRelationOid(lfirst_oid(cell), AccessShareLock)) {
            return true;
        }
        UnlockRelationOid(lfirst_oid(cell), AccessShareLock);
    }
    return false;
}

bytea* DefinitionOf(const Sources& sources) {
    constexpr Size kSize = VARHDRSZ + sizeof(sources.definition);
    auto* bytes = static_cast<bytea*>(palloc(kSize));
    SET_VARSIZE(bytes, kSize);
    std::memcpy(VARDATA(bytes), &sources.definition, sizeof(sources.definition));
    return bytes;
}

bool SameBytes(const bytea* a, const bytea* b) {
    return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
           std::memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

}  // namespace

bool IsUnchanged(Oid matview) {
    const Seen seen = FindSeen(matview);
    if (seen.snapshot == nullptr) {
        return false;
    }
    const Sources sources = ReadSources(matview);
    if (IsAnyLocked(sources.tables) || !CanBeKnown(sources) ||
        !SameBytes(seen.definition, DefinitionOf(sources))) {
        return false;
    }
    const Datum snapshot = DirectFunctionCall1(pg_snapshot_in, CStringGetDatum(seen.snapshot));
    TimestampTz at;
    return !watch::FirstUnseenChange(snapshot, sources.tables, &at);
}

Seen LookBeforeRefresh(Oid matview) {
    const Sources sources = ReadSources(matview);
    Datum snapshot;
    const bool known = CanBeKnown(sources) && watch::SeeChanges(sources.tables, &snapshot);
    return {known ? DatumGetCString(DirectFunctionCall1(pg_snapshot_out, snapshot)) : nullptr,
            DefinitionOf(sources), sources.tables};
}

void NoteRefreshed(Oid matview) {
    watch::NoteChange(matview);
}

}  // namespace freshcrm::refresh
