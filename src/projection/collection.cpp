#include "projection/collection.hpp"

#include "pg/names.hpp"
#include "projection/definition.hpp"

#include <cstring>

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
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

}  // namespace

CollectionSource* FindCollectionSource(Oid target) {
    CollectionSource* source = nullptr;
    const Oid definitions = DefinitionTable();
    if (OidIsValid(definitions)) {
        Relation table = table_open(definitions, AccessShareLock);
        ScanKeyData key;
        ScanKeyInit(&key, get_attnum(definitions, "target"), BTEqualStrategyNumber, F_OIDEQ,
                    ObjectIdGetDatum(target));
        // The table is small, and its latest state is what the statements of this are run on.
        SysScanDesc scan = systable_beginscan(table, InvalidOid, false, nullptr, 1, &key);
        const HeapTuple tuple = systable_getnext(scan);
        if (HeapTupleIsValid(tuple)) {
            source = ReadSource(table, tuple);
        }
        systable_endscan(scan);
        table_close(table, AccessShareLock);
    }
    if (source == nullptr) {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("table %s is not a projection", pg::RelationForMessage(target)),
                        errhint("The view freshcrm.projections lists them.")));
    }
    return source;
}

}  // namespace freshcrm::projection
