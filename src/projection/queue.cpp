#include "projection/queue.hpp"

#include "projection/own_tables.hpp"
#include "projection/packed.hpp"
#include "projection/recompute.hpp"
#include "projection/worker.hpp"

extern "C" {
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
}

namespace freshcrm::projection {

namespace {

constexpr int kBatchRows = 1000;

// $1 and $2 are those of Due.
#define DUE                                        \
    "(retry_at IS NULL OR (attempted_at < $1 AND " \
    "($2 OR retry_at <= pg_catalog.clock_timestamp())))"

Datum Column(uint64 row, int column, bool* isnull) {
    return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

// The values of a row that is added.
struct NewRow {
    int32 projection;
    Oid source;  // invalid: of keys
    int64 shape;
    bool everything;
    bool null_key;
    bool new_rows;
    bool new_links;
    Failed failed;
};

void Insert(const NewRow* row, bytea* content, int count) {
    static Statement insert = {
        "INSERT INTO freshcrm.queue (projection, source, shape, everything, null_key, new_rows, "
        "new_links, changes, content, attempts, error, queued_at, xact, attempted_at, retry_at) "
        "SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
        "coalesce($12, pg_catalog.clock_timestamp()), "
        // Keys may be those of several transactions.
        "CASE WHEN $2 IS NOT NULL THEN pg_catalog.pg_current_xact_id() END, "
        "CASE WHEN $11 IS NOT NULL THEN pg_catalog.clock_timestamp() END, "
        "CASE WHEN $11 IS NOT NULL THEN pg_catalog.clock_timestamp() + freshcrm.retry_delay($10) "
        "END FROM freshcrm.projection WHERE id = $1",
        12,
        {INT4OID, OIDOID, INT8OID, BOOLOID, BOOLOID, BOOLOID, BOOLOID, INT4OID, BYTEAOID, INT4OID,
         TEXTOID, TIMESTAMPTZOID},
        nullptr};
    const char* error = row->failed.error;
    Datum values[] = {Int32GetDatum(row->projection),
                      ObjectIdGetDatum(row->source),
                      Int64GetDatum(row->shape),
                      BoolGetDatum(row->everything),
                      BoolGetDatum(row->null_key),
                      BoolGetDatum(row->new_rows),
                      BoolGetDatum(row->new_links),
                      Int32GetDatum(count),
                      PointerGetDatum(content),
                      Int32GetDatum(row->failed.attempts),
                      error != nullptr ? CStringGetTextDatum(error) : Datum{0},
                      TimestampTzGetDatum(row->failed.since)};
    char nulls[lengthof(values) + 1] = "            ";
    nulls[1] = OidIsValid(row->source) ? ' ' : 'n';
    nulls[8] = content != nullptr ? ' ' : 'n';
    nulls[10] = error != nullptr ? ' ' : 'n';
    nulls[11] = row->failed.since != 0 ? ' ' : 'n';
    OnOwnTable(&insert, values, nulls, false, [] {});
    WakeAtCommit();
}

void InsertPiece(void* arg, bytea* content, int values) {
    Insert(static_cast<const NewRow*>(arg), content, values);
}

// What the batch has of the source; null when the view does not read it any more.
Changes* ChangesOf(Projection* projection, Oid relid, QueuedBatch* batch) {
    ListCell* cell;
    foreach (cell, batch->changes) {
        auto* changes = static_cast<Changes*>(lfirst(cell));
        if (changes->source->relid == relid) {
            return changes;
        }
    }
    Lineage* lineage = projection->lineage;
    for (int i = 0; i < lineage->source_count; ++i) {
        if (lineage->sources[i].relid == relid) {
            Changes* changes = MakeChanges(projection, &lineage->sources[i]);
            batch->changes = lappend(batch->changes, changes);
            return changes;
        }
    }
    return nullptr;
}

bool Flag(uint64 row, int column) {
    bool isnull;
    return DatumGetBool(Column(row, column, &isnull));
}

void TakeRow(Projection* projection, uint64 row, QueuedBatch* batch) {
    bool of_keys;
    bool empty;
    bool isnull;
    const Oid source = DatumGetObjectId(Column(row, 1, &of_keys));
    const int64 shape = DatumGetInt64(Column(row, 2, &isnull));
    const Datum packed = Column(row, 7, &empty);
    const bytea* content = empty ? nullptr : DatumGetByteaPP(packed);
    batch->attempts = Max(batch->attempts, DatumGetInt32(Column(row, 8, &isnull)));
    const TimestampTz queued_at = DatumGetTimestampTz(Column(row, 9, &isnull));
    batch->since = batch->since == 0 ? queued_at : Min(batch->since, queued_at);
    batch->null_key = batch->null_key || Flag(row, 4);

    Changes* changes = of_keys ? nullptr : ChangesOf(projection, source, batch);
    const int64 wanted = of_keys              ? ShapeOfKeys(projection)
                         : changes != nullptr ? ShapeOf(projection, changes->source)
                                              : 0;
    if (Flag(row, 3) || shape != wanted || (!of_keys && changes == nullptr)) {
        batch->everything = true;
    } else if (of_keys) {
        if (content != nullptr) {
            UnpackKeys(&batch->keys, content);
        }
    } else {
        changes->new_rows = changes->new_rows || Flag(row, 5);
        changes->new_links = changes->new_links || Flag(row, 6);
        if (content != nullptr) {
            UnpackChanges(changes, content);
        }
    }
}

}  // namespace

Oid LockQueue() {
    return RangeVarGetRelid(makeRangeVar(pstrdup("freshcrm"), pstrdup("queue"), -1),
                            AccessShareLock, true);
}

void QueueEverything(int32 projection) {
    const NewRow row{projection, InvalidOid, 0, true, false, false, false, {}};
    Insert(&row, nullptr, 1);
}

void QueueChanges(Changes* changes, const char* error) {
    if (!AnyChange(changes)) {
        return;
    }
    const Projection* projection = changes->projection;
    // Nobody makes links beside what a projection of mode async follows.
    const bool locks = projection->mode != Mode::kAsync;
    NewRow row{projection->id,
               changes->source->relid,
               ShapeOf(projection, changes->source),
               changes->everything || changes->reading || !RowsFit(changes),
               changes->null_key,
               locks && changes->new_rows,
               locks && changes->new_links,
               {error != nullptr ? 1 : 0, 0, error}};
    // Full: any change is a change of everything.
    const Fallback* fallback = changes->source->fallback;
    row.everything = row.everything || (fallback != nullptr && fallback->query == nullptr);
    if (row.everything || row.null_key) {
        Insert(&row, nullptr, 1);
        row.null_key = false;
    }
    if (!row.everything) {
        PackChanges(changes, {InsertPiece, &row});
    }
}

void QueueKeys(const Projection* projection, KeySet* keys, const Failed& failed) {
    NewRow row{projection->id, InvalidOid, ShapeOfKeys(projection), false, false, false,
               false,          failed};
    PackKeys(keys, {InsertPiece, &row});
}

void QueueNullKey(const Projection* projection, const Failed& failed) {
    const NewRow row{projection->id, InvalidOid, ShapeOfKeys(projection), false, true, false,
                     false,          failed};
    Insert(&row, nullptr, 1);
}

QueuedBatch TakeQueued(Projection* projection, const Due& due) {
    static Statement take = {
        "DELETE FROM freshcrm.queue WHERE ctid = ANY (ARRAY(SELECT ctid "
        "FROM freshcrm.queue WHERE projection = $3 AND " DUE
        " AND ($5 OR xact IS NULL "
        "OR xact <> pg_catalog.pg_current_xact_id()) ORDER BY id LIMIT $4 "
        "FOR UPDATE SKIP LOCKED)) RETURNING source, shape, everything, null_key, "
        "new_rows, new_links, content, attempts, queued_at",
        5,
        {TIMESTAMPTZOID, BOOLOID, INT4OID, INT4OID, BOOLOID},
        nullptr};
    QueuedBatch batch{};
    batch.keys = MakeProjectionKeys(projection, CurrentMemoryContext);
    Datum values[] = {TimestampTzGetDatum(due.before), BoolGetDatum(due.early),
                      Int32GetDatum(projection->id), Int32GetDatum(kBatchRows),
                      BoolGetDatum(due.own)};
    const MemoryContext caller = CurrentMemoryContext;
    OnOwnTable(&take, values, nullptr, false, [&] {
        MemoryContextSwitchTo(caller);
        batch.rows = static_cast<int64>(SPI_processed);
        for (uint64 i = 0; i < SPI_processed; ++i) {
            CHECK_FOR_INTERRUPTS();
            TakeRow(projection, i, &batch);
        }
    });
    return batch;
}

void MarkFailed(int32 projection, const Due& due, const char* error) {
    static Statement mark = {
        "UPDATE freshcrm.queue SET error = $4, attempts = attempts + 1, "
        "attempted_at = pg_catalog.clock_timestamp(), retry_at = "
        "pg_catalog.clock_timestamp() + freshcrm.retry_delay(attempts + 1) "
        "WHERE projection = $3 AND " DUE,
        4,
        {TIMESTAMPTZOID, BOOLOID, INT4OID, TEXTOID},
        nullptr};
    Datum values[] = {TimestampTzGetDatum(due.before), BoolGetDatum(due.early),
                      Int32GetDatum(projection), CStringGetTextDatum(error)};
    OnOwnTable(&mark, values, nullptr, false, [] {});
}

List* QueuedProjections(const Due& due) {
    static Statement find = {
        "SELECT id FROM freshcrm.projection AS p WHERE EXISTS "
        "(SELECT FROM freshcrm.queue WHERE projection = p.id AND " DUE ")",
        2,
        {TIMESTAMPTZOID, BOOLOID},
        nullptr};
    Datum values[] = {TimestampTzGetDatum(due.before), BoolGetDatum(due.early)};
    List* ids = NIL;
    const MemoryContext caller = CurrentMemoryContext;
    OnOwnTable(&find, values, nullptr, true, [&] {
        MemoryContextSwitchTo(caller);
        bool isnull;
        for (uint64 i = 0; i < SPI_processed; ++i) {
            ids = lappend_int(ids, DatumGetInt32(Column(i, 1, &isnull)));
        }
    });
    return ids;
}

TimestampTz NextRetry() {
    static Statement next = {
        "SELECT pg_catalog.min(retry_at) FROM freshcrm.queue WHERE error IS NOT NULL",
        0,
        {},
        nullptr};
    TimestampTz when = 0;
    OnOwnTable(&next, nullptr, nullptr, true, [&] {
        bool isnull;
        const Datum value = Column(0, 1, &isnull);
        when = isnull ? 0 : DatumGetTimestampTz(value);
    });
    return when;
}

void HurryRetries(int32 projection) {
    // Not all: they may be many, and fail again.
    static Statement hurry = {
        "UPDATE freshcrm.queue SET retry_at = attempted_at + interval '1 second' "
        "WHERE ctid = ANY (ARRAY(SELECT ctid FROM freshcrm.queue WHERE projection = $1 "
        "AND error IS NOT NULL AND retry_at > attempted_at + interval '1 second' "
        "LIMIT 100 FOR UPDATE SKIP LOCKED))",
        1,
        {INT4OID},
        nullptr};
    Datum value = Int32GetDatum(projection);
    OnOwnTable(&hurry, &value, nullptr, false, [] {});
}

void ForgetQueued(int32 projection, bool own) {
    static Statement forget = {
        "DELETE FROM freshcrm.queue WHERE projection = $1 AND ($2 OR xact IS NULL "
        "OR xact <> pg_catalog.pg_current_xact_id())",
        2,
        {INT4OID, BOOLOID},
        nullptr};
    Datum values[] = {Int32GetDatum(projection), BoolGetDatum(own)};
    OnOwnTable(&forget, values, nullptr, false, [] {});
}

char* LastError(int32 projection) {
    static Statement last = {
        "SELECT error FROM freshcrm.queue WHERE projection = $1 AND error IS NOT NULL "
        "ORDER BY id DESC LIMIT 1",
        1,
        {INT4OID},
        nullptr};
    Datum value = Int32GetDatum(projection);
    const MemoryContext caller = CurrentMemoryContext;
    char* error = nullptr;
    OnOwnTable(&last, &value, nullptr, true, [&] {
        if (SPI_processed > 0) {
            error = MemoryContextStrdup(
                caller, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
        }
    });
    return error;
}

char* CommittedByNow() {
    static Statement now = {"SELECT pg_catalog.pg_current_snapshot()::text", 0, {}, nullptr};
    const MemoryContext caller = CurrentMemoryContext;
    char* committed = nullptr;
    OnOwnTable(&now, nullptr, nullptr, true, [&] {
        committed = MemoryContextStrdup(
            caller, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
    });
    return committed;
}

Pending PendingSince(int32 projection, const char* committed) {
    // What waits is at the beginning of the index, so that the first is found at once.
    static Statement any = {
        "SELECT EXISTS (SELECT FROM freshcrm.queue WHERE projection = $1 AND error IS NULL "
        "AND (xact IS NULL OR pg_catalog.pg_visible_in_snapshot(xact, $2::pg_snapshot))), "
        "EXISTS (SELECT FROM freshcrm.queue WHERE projection = $1 AND error IS NOT NULL "
        "AND (xact IS NULL OR pg_catalog.pg_visible_in_snapshot(xact, $2::pg_snapshot)))",
        2,
        {INT4OID, TEXTOID},
        nullptr};
    Datum values[] = {Int32GetDatum(projection), CStringGetTextDatum(committed)};
    Pending pending = Pending::kNone;
    OnOwnTable(&any, values, nullptr, true, [&] {
        pending = Flag(0, 1) ? Pending::kSome : Flag(0, 2) ? Pending::kFailing : Pending::kNone;
    });
    return pending;
}

}  // namespace freshcrm::projection
