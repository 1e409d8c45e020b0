// The SQL functions of collections.
#include "pg/entry.hpp"
#include "projection/collection_fill.hpp"
#include "projection/collection_tag.hpp"
#include "projection/definition.hpp"

using namespace freshcrm::projection;

namespace {

List* ColumnsArgument(ArrayType* array) {
    if (array_contains_nulls(array)) {
        ereport(ERROR,
                (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("scope columns must not be NULL"),
                 errhint("Name columns, or none for the whole table.")));
    }
    return NameList(array);
}

}  // namespace

FRESHCRM_FUNCTION(freshcrm_create_collection_etag) {
    CreateCollection(PG_GETARG_OID(0), ColumnsArgument(PG_GETARG_ARRAYTYPE_P(1)));
    PG_RETURN_VOID();
}

FRESHCRM_FUNCTION(freshcrm_drop_collection_etag) {
    DropCollection(PG_GETARG_OID(0), ColumnsArgument(PG_GETARG_ARRAYTYPE_P(1)));
    PG_RETURN_VOID();
}

FRESHCRM_FUNCTION(freshcrm_collection_etag) {
    PG_RETURN_TEXT_P(cstring_to_text(CollectionEtag(PG_GETARG_OID(0), PG_GETARG_JSONB_P(1))));
}
