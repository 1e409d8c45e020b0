// The SQL functions of collections.
#include "pg/entry.hpp"
#include "projection/collection_tag.hpp"

using namespace freshcrm::projection;

FRESHCRM_FUNCTION(freshcrm_collection_etag) {
    PG_RETURN_TEXT_P(cstring_to_text(CollectionEtag(PG_GETARG_OID(0), PG_GETARG_JSONB_P(1))));
}
