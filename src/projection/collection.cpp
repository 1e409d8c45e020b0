#include "projection/collection.hpp"

#include "pg/join.hpp"
#include "pg/names.hpp"
#include "projection/collection_slots.hpp"
#include "projection/own_tables.hpp"
#include "projection/projection.hpp"

#include <cstring>

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
}

namespace freshcrm::projection {

namespace {

Datum Attribute(Relation table, HeapTuple tuple, const char* name) {
    bool isnull;
    const Datum value = heap_getattr(tuple, get_attnum(RelationGetRelid(table), name),
                                     RelationGetDescr(table), &isnull);
    if (isnull) {
        elog(ERROR, "column %s of table %s is NULL", name, RelationGetRelationName(table));
    }
    return value;
}

// Calls `row` with the rows of one of freshcrm's tables, which is small, whose column has this
// value, until it returns false. Above READ COMMITTED too a null snapshot is the latest state.
template <typename Row>
void EachRow(Oid relid, const char* column, RegProcedure equals, Datum value, Snapshot snapshot,
             Row row) {
    Relation table = table_open(relid, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, get_attnum(relid, column), BTEqualStrategyNumber, equals, value);
    SysScanDesc scan = systable_beginscan(table, InvalidOid, false, snapshot, 1, &key);
    for (HeapTuple tuple = systable_getnext(scan); HeapTupleIsValid(tuple);
         tuple = systable_getnext(scan)) {
        if (!row(table, tuple)) {
            break;
        }
    }
    systable_endscan(scan);
    table_close(table, AccessShareLock);
}

Oid CollectionTable() {
    return get_relname_relid("collection", get_namespace_oid("freshcrm", false));
}

void ReadSecret(Datum value, std::uint8_t* secret) {
    const bytea* bytes = DatumGetByteaPP(value);
    if (VARSIZE_ANY_EXHDR(bytes) != core::kSecretBytes) {
        elog(ERROR, "the secret of a projection has %d bytes",
             static_cast<int>(VARSIZE_ANY_EXHDR(bytes)));
    }
    std::memcpy(secret, VARDATA_ANY(bytes), core::kSecretBytes);
}

CollectionSource* ReadSource(Relation table, HeapTuple tuple) {
    auto* source = static_cast<CollectionSource*>(palloc(sizeof(CollectionSource)));
    source->projection = DatumGetInt32(Attribute(table, tuple, "id"));
    source->target = DatumGetObjectId(Attribute(table, tuple, "target"));
    source->columns = NameList(DatumGetArrayTypeP(Attribute(table, tuple, "columns")));
    ReadSecret(Attribute(table, tuple, "secret"), source->secret);
    return source;
}

// What the table says, counted from 1, as numbers from 0.
int* ReadNumbers(Datum value, int* count) {
    ArrayType* array = DatumGetArrayTypeP(value);
    Datum* numbers;
    deconstruct_array(array, INT4OID, sizeof(int32), true, TYPALIGN_INT, &numbers, nullptr, count);
    auto* columns = static_cast<int*>(palloc(sizeof(int) * static_cast<Size>(*count + 1)));
    for (int i = 0; i < *count; ++i) {
        columns[i] = DatumGetInt32(numbers[i]) - 1;
    }
    return columns;
}

}  // namespace

CollectionSource* FindCollectionSource(Oid target) {
    CollectionSource* source = nullptr;
    if (OidIsValid(DefinitionTable())) {
        EachRow(DefinitionTable(), "target", F_OIDEQ, ObjectIdGetDatum(target), nullptr,
                [&](Relation table, HeapTuple tuple) {
                    source = ReadSource(table, tuple);
                    return false;
                });
    }
    if (source == nullptr) {
        RaiseNotTarget(target);
    }
    return source;
}

int FindScopeColumn(const CollectionSource* source, const char* name) {
    ListCell* cell;
    foreach (cell, source->columns) {
        if (std::strcmp(static_cast<char*>(lfirst(cell)), name) == 0) {
            return foreach_current_index(cell);
        }
    }
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_COLUMN),
             errmsg("\"%s\" is not a column of projection %s that a scope can name", name,
                    pg::RelationForMessage(source->target)),
             errhint("Its columns are %s.",
                     pg::JoinNames(source->columns, ", ", [](const char* of) { return of; }))));
    pg_unreachable();
}

ScopeColumn* FindScopeColumns(const CollectionSource* source, const int* columns, int count) {
    auto* found =
        static_cast<ScopeColumn*>(palloc(sizeof(ScopeColumn) * static_cast<Size>(count + 1)));
    for (int i = 0; i < count; ++i) {
        ScopeColumn* column = &found[i];
        column->column = columns[i];
        column->name = static_cast<char*>(list_nth(source->columns, columns[i]));
        column->attnum = get_attnum(source->target, column->name);
        if (column->attnum == InvalidAttrNumber) {
            ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                            errmsg("projection %s has lost its column \"%s\"",
                                   pg::RelationForMessage(source->target), column->name),
                            errhint("Drop the projection and create it again.")));
        }
        get_atttypetypmodcoll(source->target, column->attnum, &column->type, &column->typmod,
                              &column->collation);
        get_typlenbyval(column->type, &column->length, &column->by_value);
        column->padded = getBaseType(column->type) == BPCHAROID;
    }
    return found;
}

Collections* LoadCollections(const CollectionSource* source, Which which) {
    List* items = NIL;
    Bitmapset* columns = nullptr;
    const auto add = [&](Relation table, HeapTuple tuple) {
        const int32 id = DatumGetInt32(Attribute(table, tuple, "id"));
        if (which == Which::kFilled && FindFill(id, SnapshotSelf) == Fill::kNone) {
            return true;
        }
        auto* item = static_cast<Collection*>(palloc(sizeof(Collection)));
        const int* numbers = ReadNumbers(Attribute(table, tuple, "columns"), &item->count);
        item->id = id;
        item->columns = FindScopeColumns(source, numbers, item->count);
        for (int i = 0; i < item->count; ++i) {
            columns = bms_add_member(columns, numbers[i] + 1);
        }
        items = lappend(items, item);
        return true;
    };
    EachRow(CollectionTable(), "projection", F_INT4EQ, Int32GetDatum(source->projection), nullptr,
            add);
    if (items == NIL) {
        return nullptr;
    }
    auto* collections = static_cast<Collections*>(palloc(sizeof(Collections)));
    std::memcpy(collections->secret, source->secret, core::kSecretBytes);
    collections->count = list_length(items);
    collections->items = static_cast<Collection*>(
        palloc(sizeof(Collection) * static_cast<Size>(collections->count)));
    for (int i = 0; i < collections->count; ++i) {
        collections->items[i] = *static_cast<Collection*>(list_nth(items, i));
    }
    collections->columns = columns;
    collections->view_columns = list_length(source->columns);
    return collections;
}

int32 FindCollection(int32 projection, const ScopeColumn* columns, int count, Snapshot snapshot) {
    int32 found = 0;
    EachRow(CollectionTable(), "projection", F_INT4EQ, Int32GetDatum(projection), snapshot,
            [&](Relation table, HeapTuple tuple) {
                int known;
                const int* numbers = ReadNumbers(Attribute(table, tuple, "columns"), &known);
                bool same = known == count;
                for (int i = 0; same && i < count; ++i) {
                    same = numbers[i] == columns[i].column;
                }
                found = same ? DatumGetInt32(Attribute(table, tuple, "id")) : 0;
                return !same;
            });
    return found;
}

int32 AddCollection(int32 projection, const ScopeColumn* columns, int count) {
    static Statement insert = {
        "INSERT INTO freshcrm.collection (projection, columns) VALUES ($1, $2) RETURNING id",
        2,
        {INT4OID, INT4ARRAYOID},
        nullptr};
    auto* numbers = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(count + 1)));
    for (int i = 0; i < count; ++i) {
        numbers[i] = Int32GetDatum(columns[i].column + 1);
    }
    Datum values[] = {Int32GetDatum(projection),
                      PointerGetDatum(construct_array(numbers, count, INT4OID, sizeof(int32), true,
                                                      TYPALIGN_INT))};
    int32 id = 0;
    OnOwnTable(&insert, values, nullptr, false, [&] {
        bool isnull;
        id = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
    });
    return id;
}

void RemoveCollection(int32 id) {
    static Statement remove = {
        "DELETE FROM freshcrm.collection WHERE id = $1", 1, {INT4OID}, nullptr};
    Datum value = Int32GetDatum(id);
    OnOwnTable(&remove, &value, nullptr, false, [] {});
    RemoveSlots(id);
}

void RemoveCollections(int32 projection) {
    static Statement remove = {
        "WITH gone AS (DELETE FROM freshcrm.collection WHERE projection = $1 RETURNING id) "
        "DELETE FROM freshcrm.collection_slot WHERE collection IN (SELECT id FROM gone)",
        1,
        {INT4OID},
        nullptr};
    Datum value = Int32GetDatum(projection);
    OnOwnTable(&remove, &value, nullptr, false, [] {});
}

void ForgetLoaded(Oid target) {
    CacheInvalidateRelcacheByRelid(target);
    CommandCounterIncrement();
}

}  // namespace freshcrm::projection
