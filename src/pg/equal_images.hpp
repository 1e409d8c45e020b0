// Types of which values are equal just when their bytes are.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/nbtree.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
}

namespace freshcrm::pg {

// What a btree asks that keeps equal values once (deduplication). Of a domain: its base type.
inline bool HasEqualImages(Oid type, Oid collation) {
    const TypeCacheEntry* cached = lookup_type_cache(getBaseType(type), TYPECACHE_BTREE_OPFAMILY);
    if (!OidIsValid(cached->btree_opf)) {
        return false;
    }
    const Oid test = get_opfamily_proc(cached->btree_opf, cached->btree_opintype,
                                       cached->btree_opintype, BTEQUALIMAGE_PROC);
    return OidIsValid(test) && DatumGetBool(OidFunctionCall1Coll(
                                   test, collation, ObjectIdGetDatum(cached->btree_opintype)));
}

}  // namespace freshcrm::pg
