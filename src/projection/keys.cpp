#include "projection/keys.hpp"

extern "C" {
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/typcache.h"
}

namespace freshcrm::projection {

namespace {

int CompareTuples(const void* a, const void* b, void* arg) {
    const auto* set = static_cast<const KeySet*>(arg);
    for (int i = 0; i < set->width; ++i) {
        const KeySetColumn& column = set->columns[i];
        const int32 order = DatumGetInt32(FunctionCall2Coll(column.compare, column.collation,
                                                            static_cast<const Datum*>(a)[i],
                                                            static_cast<const Datum*>(b)[i]));
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

Size TupleSize(const KeySet* set) {
    return sizeof(Datum) * static_cast<Size>(set->width);
}

}  // namespace

KeySet MakeKeySet(MemoryContext context, int width, const Oid* types, const Oid* collations) {
    KeySet set{};
    set.context = context;
    set.width = width;
    set.sortable = true;
    set.columns = static_cast<KeySetColumn*>(
        MemoryContextAllocZero(context, sizeof(KeySetColumn) * static_cast<Size>(width)));
    for (int i = 0; i < width; ++i) {
        KeySetColumn* column = &set.columns[i];
        column->type = types[i];
        column->collation = collations[i];
        get_typlenbyvalalign(types[i], &column->length, &column->by_value, &column->align);
        column->compare = &lookup_type_cache(types[i], TYPECACHE_CMP_PROC_FINFO)->cmp_proc_finfo;
        set.sortable = set.sortable && OidIsValid(column->compare->fn_oid);
    }
    return set;
}

void Add(KeySet* set, const Datum* tuple) {
    MemoryContext caller = MemoryContextSwitchTo(set->context);
    if (set->count == set->capacity) {
        set->capacity = set->capacity == 0 ? 8 : set->capacity * 2;
        const Size size = TupleSize(set) * static_cast<Size>(set->capacity);
        set->values = static_cast<Datum*>(
            set->values == nullptr ? palloc(size) : repalloc_huge(set->values, size));
    }
    auto* copy = const_cast<Datum*>(Tuple(set, set->count));
    for (int i = 0; i < set->width; ++i) {
        const KeySetColumn& column = set->columns[i];
        copy[i] = column.length == -1 ? PointerGetDatum(PG_DETOAST_DATUM_COPY(tuple[i]))
                                      : datumCopy(tuple[i], column.by_value, column.length);
    }
    ++set->count;
    MemoryContextSwitchTo(caller);
}

void SortUnique(KeySet* set) {
    if (set->count < 2 || !set->sortable) {
        return;
    }
    qsort_arg(set->values, static_cast<size_t>(set->count), TupleSize(set), CompareTuples, set);
    int kept = 1;
    for (int i = 1; i < set->count; ++i) {
        if (CompareTuples(Tuple(set, i), Tuple(set, kept - 1), set) != 0) {
            memmove(const_cast<Datum*>(Tuple(set, kept)), Tuple(set, i), TupleSize(set));
            ++kept;
        }
    }
    set->count = kept;
}

void ToArrays(const KeySet* set, int first, int count, Datum* arrays) {
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(count)));
    for (int i = 0; i < set->width; ++i) {
        const KeySetColumn& column = set->columns[i];
        for (int j = 0; j < count; ++j) {
            values[j] = Tuple(set, first + j)[i];
        }
        arrays[i] = PointerGetDatum(construct_array(values, count, column.type, column.length,
                                                    column.by_value, column.align));
    }
    pfree(values);
}

}  // namespace freshcrm::projection
