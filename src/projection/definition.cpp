#include "projection/definition.hpp"

#include "pg/names.hpp"
#include "pg/owner_scope.hpp"
#include "pg/spi.hpp"

extern "C" {
#include "access/table.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
}

namespace freshcrm::projection {

namespace {

// Runs a statement on freshcrm.projection, as its owner, on its latest state; `use` reads the
// result while SPI is connected.
template <typename Use>
void OnDefinitions(const char* sql, int nargs, Oid* types, Datum* values, bool reads, Use use) {
    const Oid owner = OwnerOfDefinitions();
    if (!OidIsValid(owner)) {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("table freshcrm.projection does not exist"),
                        errhint("Create the extension freshcrm in this database.")));
    }
    const pg::OwnerScope scope = pg::BeginAsOwner(owner);
    SPI_connect();
    pg::PushFreshSnapshot();
    const int result = SPI_execute_with_args(sql, nargs, types, values, nullptr, reads, 0);
    if (result < 0) {
        elog(ERROR, "could not use freshcrm.projection: %s", SPI_result_code_string(result));
    }
    use();
    PopActiveSnapshot();
    SPI_finish();
    pg::EndAsOwner(scope);
}

const char* TextColumn(int column) {
    return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column);
}

Datum Column(int column, uint64 row = 0) {
    bool isnull;
    return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
}

Datum NameArray(const List* names) {
    const int count = list_length(names);
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(count)));
    for (int i = 0; i < count; ++i) {
        values[i] = DirectFunctionCall1(namein, CStringGetDatum(list_nth(names, i)));
    }
    return PointerGetDatum(
        construct_array(values, count, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR));
}

List* OidList(ArrayType* array) {
    Datum* values;
    int count;
    deconstruct_array(array, ARR_ELEMTYPE(array), sizeof(Oid), true, TYPALIGN_INT, &values, nullptr,
                      &count);
    List* oids = NIL;
    for (int i = 0; i < count; ++i) {
        oids = lappend_oid(oids, DatumGetObjectId(values[i]));
    }
    return oids;
}

Definition* Find(const char* condition, Oid type, Datum value) {
    Definition* found = nullptr;
    MemoryContext caller = CurrentMemoryContext;
    const char* sql = psprintf(
        "SELECT id, target, source, key, mode, on_error, options, target_adopted, columns, whole, "
        "problem, fallback_tables, source_made FROM freshcrm.projection WHERE %s",
        condition);
    OnDefinitions(sql, 1, &type, &value, true, [&] {
        if (SPI_processed == 0) {
            return;
        }
        MemoryContext spi = MemoryContextSwitchTo(caller);
        found = static_cast<Definition*>(palloc(sizeof(Definition)));
        *found = {DatumGetInt32(Column(1)),
                  DatumGetObjectId(Column(2)),
                  DatumGetObjectId(Column(3)),
                  NameList(DatumGetArrayTypeP(Column(4))),
                  TextColumn(5),
                  TextColumn(6),
                  PointerGetDatum(PG_DETOAST_DATUM_COPY(Column(7))),
                  DatumGetBool(Column(8)),
                  NameList(DatumGetArrayTypeP(Column(9))),
                  DatumGetObjectId(Column(10)),
                  TextColumn(11),
                  OidList(DatumGetArrayTypeP(Column(12))),
                  DatumGetBool(Column(13))};
        MemoryContextSwitchTo(spi);
    });
    return found;
}

// The first column of a query, as a list of integers.
List* Ids(const char* sql) {
    List* ids = NIL;
    MemoryContext caller = CurrentMemoryContext;
    OnDefinitions(sql, 0, nullptr, nullptr, true, [&] {
        MemoryContext spi = MemoryContextSwitchTo(caller);
        for (uint64 i = 0; i < SPI_processed; ++i) {
            ids = lappend_int(ids, DatumGetInt32(Column(1, i)));
        }
        MemoryContextSwitchTo(spi);
    });
    return ids;
}

// Runs an UPDATE or DELETE of one definition, whose id is $1.
// Above READ COMMITTED the row may be newer than the transaction's snapshot.
void Change(const char* sql, int nargs, Oid* types, Datum* values) {
    OnDefinitions(sql, nargs, types, values, false, [&] {
        if (SPI_processed != 1) {
            ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                            errmsg("could not change projection %d", DatumGetInt32(values[0])),
                            errdetail("It was created or removed by a concurrent transaction."),
                            errhint("Retry the transaction.")));
        }
    });
}

}  // namespace

Oid DefinitionTable() {
    const Oid schema = get_namespace_oid("freshcrm", true);
    return OidIsValid(schema) ? get_relname_relid("projection", schema) : InvalidOid;
}

Datum OidArray(const List* oids) {
    const int count = list_length(oids);
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(count)));
    for (int i = 0; i < count; ++i) {
        values[i] = ObjectIdGetDatum(list_nth_oid(oids, i));
    }
    return PointerGetDatum(construct_array(values, count, OIDOID, sizeof(Oid), true, TYPALIGN_INT));
}

Oid OwnerOfDefinitions() {
    return pg::OwnerOfRelation(DefinitionTable());
}

bool HasDefinitions() {
    const Oid table = DefinitionTable();
    if (!OidIsValid(table)) {
        return false;
    }
    Relation relation = table_open(table, AccessShareLock);
    const bool some = RelationGetNumberOfBlocks(relation) > 0;
    table_close(relation, AccessShareLock);
    return some;
}

List* NameList(ArrayType* array) {
    Datum* names;
    bool* nulls;
    int count;
    deconstruct_array(array, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &names, &nulls, &count);
    List* list = NIL;
    for (int i = 0; i < count; ++i) {
        if (nulls[i]) {
            return NIL;
        }
        list = lappend(list, pstrdup(NameStr(*DatumGetName(names[i]))));
    }
    return list;
}

Definition* FindDefinition(int32 id) {
    return Find("id = $1", INT4OID, Int32GetDatum(id));
}

Definition* FindDefinitionOf(Oid target) {
    return Find("target = $1::pg_catalog.regclass", OIDOID, ObjectIdGetDatum(target));
}

List* DefinitionIds() {
    return Ids("SELECT id FROM freshcrm.projection");
}

List* DanglingDefinitions() {
    if (!OidIsValid(DefinitionTable())) {
        return NIL;
    }
    return Ids(
        "SELECT id FROM freshcrm.projection AS p WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class "
        "WHERE oid = p.target) OR NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = "
        "p.source)");
}

int32 AddDefinition(const Definition& definition) {
    Oid types[] = {OIDOID,   OIDOID,  NAMEARRAYOID, TEXTOID,     TEXTOID,
                   JSONBOID, BOOLOID, NAMEARRAYOID, OIDARRAYOID, BOOLOID};
    Datum values[] = {ObjectIdGetDatum(definition.target),
                      ObjectIdGetDatum(definition.source),
                      NameArray(definition.keys),
                      CStringGetTextDatum(definition.mode),
                      CStringGetTextDatum(definition.on_error),
                      definition.options,
                      BoolGetDatum(definition.target_adopted),
                      NameArray(definition.columns),
                      OidArray(definition.fallback_tables),
                      BoolGetDatum(definition.source_made)};
    int32 id = 0;
    OnDefinitions(
        "INSERT INTO freshcrm.projection (target, source, key, mode, on_error, options, "
        "target_adopted, columns, fallback_tables, source_made) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::regclass[], $10) RETURNING id",
        lengthof(types), types, values, false, [&] { id = DatumGetInt32(Column(1)); });
    return id;
}

void RemoveDefinition(int32 id) {
    Oid type = INT4OID;
    Datum value = Int32GetDatum(id);
    Change("DELETE FROM freshcrm.projection WHERE id = $1", 1, &type, &value);
}

bool PassOnSource(Oid view) {
    Oid type = OIDOID;
    Datum value = ObjectIdGetDatum(view);
    bool found = false;
    OnDefinitions(
        "UPDATE freshcrm.projection SET source_made = true WHERE id = (SELECT min(id) FROM "
        "freshcrm.projection WHERE source = $1::pg_catalog.regclass)",
        1, &type, &value, false, [&] { found = SPI_processed > 0; });
    return found;
}

void ChangeDefinition(const Definition& definition) {
    Oid types[] = {INT4OID, TEXTOID, TEXTOID, JSONBOID, OIDARRAYOID};
    Datum values[] = {Int32GetDatum(definition.id), CStringGetTextDatum(definition.mode),
                      CStringGetTextDatum(definition.on_error), definition.options,
                      OidArray(definition.fallback_tables)};
    Change(
        "UPDATE freshcrm.projection SET mode = $2, on_error = $3, options = $4, "
        "fallback_tables = $5::regclass[] WHERE id = $1",
        lengthof(types), types, values);
}

void SetColumns(int32 id, const List* keys, const List* columns) {
    Oid types[] = {INT4OID, NAMEARRAYOID, NAMEARRAYOID};
    Datum values[] = {Int32GetDatum(id), NameArray(keys), NameArray(columns)};
    Change("UPDATE freshcrm.projection SET key = $2, columns = $3 WHERE id = $1", lengthof(types),
           types, values);
}

void SetWhole(int32 id, Oid whole) {
    Oid types[] = {INT4OID, OIDOID};
    Datum values[] = {Int32GetDatum(id), ObjectIdGetDatum(whole)};
    Change("UPDATE freshcrm.projection SET whole = $2 WHERE id = $1", lengthof(types), types,
           values);
    // Sessions remember whether it is (Projection::restored).
    if (whole >= FirstNormalObjectId) {
        CacheInvalidateRelcacheByRelid(whole);
    }
}

bool CompleteRestore(int32 id) {
    Oid types[] = {INT4OID, OIDOID};
    Datum values[] = {Int32GetDatum(id), ObjectIdGetDatum(kWrittenWhileRestored)};
    Oid target = InvalidOid;
    OnDefinitions(
        "UPDATE freshcrm.projection SET whole = target WHERE id = $1 AND whole <> $2 "
        "RETURNING target",
        lengthof(types), types, values, false,
        [&] { target = SPI_processed > 0 ? DatumGetObjectId(Column(1)) : InvalidOid; });
    if (OidIsValid(target)) {
        CacheInvalidateRelcacheByRelid(target);
    }
    return OidIsValid(target);
}

void SetProblem(int32 id, const char* problem) {
    Oid types[] = {INT4OID, TEXTOID};
    Datum values[] = {Int32GetDatum(id), CStringGetTextDatum(problem != nullptr ? problem : "")};
    Change("UPDATE freshcrm.projection SET problem = NULLIF($2, '') WHERE id = $1", lengthof(types),
           types, values);
}

}  // namespace freshcrm::projection
