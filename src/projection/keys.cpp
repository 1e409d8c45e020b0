#include "projection/keys.hpp"

extern "C" {
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/typcache.h"
}

namespace freshcrm::projection {

namespace {

int CompareValues(const void* a, const void* b, void* arg) {
    const auto* set = static_cast<const KeySet*>(arg);
    return DatumGetInt32(FunctionCall2Coll(set->compare, set->collation,
                                           *static_cast<const Datum*>(a),
                                           *static_cast<const Datum*>(b)));
}

}  // namespace

KeySet MakeKeySet(MemoryContext context, Oid type, Oid collation) {
    KeySet set{};
    set.context = context;
    set.type = type;
    get_typlenbyvalalign(type, &set.length, &set.by_value, &set.align);
    FmgrInfo* compare = &lookup_type_cache(type, TYPECACHE_CMP_PROC_FINFO)->cmp_proc_finfo;
    set.compare = OidIsValid(compare->fn_oid) ? compare : nullptr;
    set.collation = collation;
    return set;
}

void Add(KeySet* set, Datum value) {
    MemoryContext caller = MemoryContextSwitchTo(set->context);
    if (set->count == set->capacity) {
        set->capacity = set->capacity == 0 ? 8 : set->capacity * 2;
        const Size size = sizeof(Datum) * static_cast<Size>(set->capacity);
        set->values = static_cast<Datum*>(
            set->values == nullptr ? palloc(size) : repalloc_huge(set->values, size));
    }
    if (set->length == -1) {
        value = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
    } else {
        value = datumCopy(value, set->by_value, set->length);
    }
    set->values[set->count++] = value;
    MemoryContextSwitchTo(caller);
}

void SortUnique(KeySet* set) {
    if (set->count < 2 || set->compare == nullptr) {
        return;
    }
    qsort_arg(set->values, static_cast<size_t>(set->count), sizeof(Datum), CompareValues, set);
    int kept = 1;
    for (int i = 1; i < set->count; ++i) {
        if (CompareValues(&set->values[i], &set->values[kept - 1], set) != 0) {
            set->values[kept++] = set->values[i];
        }
    }
    set->count = kept;
}

Datum ToArray(const KeySet* set, int first, int count) {
    return PointerGetDatum(construct_array(set->values + first, count, set->type, set->length,
                                           set->by_value, set->align));
}

}  // namespace freshcrm::projection
