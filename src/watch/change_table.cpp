#include "watch/change_table.hpp"

#include "pg/names.hpp"
#include "pg/owner_scope.hpp"
#include "pg/spi.hpp"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"
}

namespace freshcrm::watch {

namespace {

// The columns of freshcrm.table_change.
constexpr AttrNumber kRelation = 1;
constexpr AttrNumber kXid = 2;
constexpr AttrNumber kChangedAt = 3;
constexpr int kColumns = 3;

// In the latest snapshot. What another transaction is still adding is not in it; what was added on
// behalf of a transaction that is running has no effect yet, and perhaps never. That of an id that
// is still to be given was on behalf of one that a crash has undone without a trace; who gets the
// id may be taken for it, to the price of a refresh.
constexpr const char* kDeleteSeen =
    "DELETE FROM freshcrm.table_change AS c "
    "WHERE CASE WHEN c.xid < pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()) "
    "THEN pg_catalog.pg_xact_status(c.xid) ELSE 'in progress' END IS DISTINCT FROM 'in progress' "
    "AND NOT EXISTS ("
    "SELECT FROM (SELECT pg_catalog.unnest(sources) AS relation, seen "
    "FROM freshcrm.matview_state WHERE seen IS NOT NULL) AS s WHERE s.relation = c.relation "
    "AND NOT pg_catalog.pg_visible_in_snapshot(c.xid, s.seen))";

Oid OwnRelation(const char* name) {
    return get_relname_relid(name, get_namespace_oid("freshcrm", false));
}

bool IsVisible(Datum xid, Datum seen) {
    return DatumGetBool(DirectFunctionCall2(pg_visible_in_snapshot, xid, seen));
}

bool HasHappened(FullTransactionId xid) {
    if (TransactionIdIsCurrentTransactionId(XidFromFullTransactionId(xid))) {
        return true;
    }
    if (!FullTransactionIdPrecedes(xid, ReadNextFullTransactionId())) {
        return false;
    }
    LOCAL_FCINFO(call, 1);
    InitFunctionCallInfoData(*call, nullptr, 1, InvalidOid, nullptr, nullptr);
    call->args[0] = {FullTransactionIdGetDatum(xid), false};
    const Datum status = pg_xact_status(call);
    return call->isnull || strcmp(TextDatumGetCString(status), "committed") == 0;
}

struct Reader {
    Relation table;
    Oid index;
    Datum seen;
    bool found;
    TimestampTz at;
};

// As they are now; so nothing of it counts as a read of a serializable transaction, which would be
// in conflict with all that write.
void ReadChanges(Reader* reader, Oid relation) {
    ScanKeyData key;
    ScanKeyInit(&key, kRelation, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
    SysScanDesc scan =
        systable_beginscan(reader->table, reader->index, true, SnapshotSelf, 1, &key);
    Datum values[kColumns];
    bool nulls[kColumns];
    for (HeapTuple tuple = systable_getnext(scan); HeapTupleIsValid(tuple);
         tuple = systable_getnext(scan)) {
        heap_deform_tuple(tuple, RelationGetDescr(reader->table), values, nulls);
        const Datum xid = values[kXid - 1];
        const TimestampTz at = DatumGetTimestampTz(values[kChangedAt - 1]);
        if (!IsVisible(xid, reader->seen) && (!reader->found || at < reader->at) &&
            HasHappened(DatumGetFullTransactionId(xid))) {
            reader->found = true;
            reader->at = at;
        }
    }
    systable_endscan(scan);
}

}  // namespace

// Whom the row is for is nobody's that reads it in this command.
void AddChange(Oid relation, FullTransactionId xid) {
    Relation table = table_open(OwnRelation("table_change"), RowExclusiveLock);
    Datum values[kColumns];
    bool nulls[kColumns] = {};
    values[kRelation - 1] = ObjectIdGetDatum(relation);
    values[kXid - 1] = FullTransactionIdGetDatum(xid);
    values[kChangedAt - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
    HeapTuple tuple = heap_form_tuple(RelationGetDescr(table), values, nulls);
    CatalogTupleInsert(table, tuple);
    heap_freetuple(tuple);
    table_close(table, NoLock);
}

bool HasChange(Oid relation, FullTransactionId xid) {
    Relation table = table_open(OwnRelation("table_change"), AccessShareLock);
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], kRelation, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
    ScanKeyInit(&keys[1], kXid, BTEqualStrategyNumber, F_XID8EQ, FullTransactionIdGetDatum(xid));
    SysScanDesc scan = systable_beginscan(table, OwnRelation("table_change_relation"), true,
                                          SnapshotSelf, 2, keys);
    const bool has = HeapTupleIsValid(systable_getnext(scan));
    systable_endscan(scan);
    table_close(table, AccessShareLock);
    return has;
}

bool FindUnseenChange(Datum seen, const List* relations, TimestampTz* at) {
    Reader reader{};
    reader.table = table_open(OwnRelation("table_change"), AccessShareLock);
    reader.index = OwnRelation("table_change_relation");
    reader.seen = seen;
    ListCell* cell;
    foreach (cell, relations) {
        ReadChanges(&reader, lfirst_oid(cell));
    }
    table_close(reader.table, AccessShareLock);
    if (at != nullptr) {
        *at = reader.at;
    }
    return reader.found;
}

uint64 DeleteSeenChanges() {
    SPI_connect();
    const pg::OwnerScope scope = pg::BeginAsOwner(pg::OwnerOfRelation(OwnRelation("table_change")));
    SPIPlanPtr plan = SPI_prepare(kDeleteSeen, 0, nullptr);
    if (plan == nullptr) {
        elog(ERROR, "could not prepare \"%s\"", kDeleteSeen);
    }
    pg::PushFreshSnapshot();
    const int result = SPI_execute_snapshot(plan, nullptr, nullptr, GetActiveSnapshot(),
                                            InvalidSnapshot, false, false, 0);
    PopActiveSnapshot();
    if (result != SPI_OK_DELETE) {
        elog(ERROR, "could not delete from freshcrm.table_change: %s",
             SPI_result_code_string(result));
    }
    const uint64 deleted = SPI_processed;
    pg::EndAsOwner(scope);
    SPI_finish();
    return deleted;
}

}  // namespace freshcrm::watch
