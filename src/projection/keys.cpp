#include "projection/keys.hpp"

#include "pg/datum.hpp"

extern "C" {
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"
}

#include <climits>

namespace freshcrm::projection {

// The tuples on disk. A piece that is read from there is in one of two contexts by turns, so that
// its first tuple can be compared with the last of the piece before.
struct KeySpill {
    Tuplesortstate* sort;  // null once all has been read
    TupleTableSlot* slot;
    TupleTableSlot* sorted;
    MemoryContext contexts[2];
    int turn;
    const Datum* last;  // of the piece before, or null
};

namespace {

// What a value that is not stored in its Datum takes besides its own length.
constexpr Size kAllocationOverhead = 16;

int CompareForSort(const void* a, const void* b, void* set) {
    return CompareTuples(static_cast<const KeySet*>(set), static_cast<const Datum*>(a),
                         static_cast<const Datum*>(b));
}

Size TupleSize(const KeySet* set) {
    return sizeof(Datum) * static_cast<Size>(set->width);
}

Datum* MutableTuple(KeySet* set, int index) {
    return const_cast<Datum*>(Tuple(set, index));
}

// Puts a copy behind the others, in the current context.
void Append(KeySet* set, const Datum* tuple) {
    if (set->count == set->capacity) {
        set->capacity = set->capacity == 0 ? 8 : set->capacity * 2;
        const Size size = TupleSize(set) * static_cast<Size>(set->capacity);
        set->values = static_cast<Datum*>(
            set->values == nullptr ? palloc(size) : repalloc_huge(set->values, size));
    }
    Datum* copy = MutableTuple(set, set->count);
    for (int i = 0; i < set->width; ++i) {
        const KeySetColumn& column = set->columns[i];
        copy[i] = pg::CopyFlat(tuple[i], column.by_value, column.length);
        if (!column.by_value) {
            set->bytes += datumGetSize(copy[i], false, column.length) + kAllocationOverhead;
        }
    }
    set->bytes += TupleSize(set);
    ++set->count;
}

void Remove(KeySet* set, int index) {
    Datum* tuple = MutableTuple(set, index);
    for (int i = 0; i < set->width; ++i) {
        const KeySetColumn& column = set->columns[i];
        if (!column.by_value) {
            set->bytes -= datumGetSize(tuple[i], false, column.length) + kAllocationOverhead;
            pfree(DatumGetPointer(tuple[i]));
        }
    }
    set->bytes -= TupleSize(set);
}

void SortUniqueInMemory(KeySet* set) {
    if (set->count < 2 || !set->sortable) {
        return;
    }
    qsort_arg(set->values, static_cast<size_t>(set->count), TupleSize(set), CompareForSort, set);
    int kept = 1;
    for (int i = 1; i < set->count; ++i) {
        if (CompareTuples(set, Tuple(set, i), Tuple(set, kept - 1)) != 0) {
            memmove(MutableTuple(set, kept), Tuple(set, i), TupleSize(set));
            ++kept;
        } else {
            Remove(set, i);
        }
    }
    set->count = kept;
}

Tuplesortstate* BeginSort(const KeySet* set, TupleDesc desc) {
    const auto width = static_cast<Size>(set->width);
    auto* numbers = static_cast<AttrNumber*>(palloc(sizeof(AttrNumber) * width));
    auto* operators = static_cast<Oid*>(palloc(sizeof(Oid) * width));
    auto* collations = static_cast<Oid*>(palloc(sizeof(Oid) * width));
    auto* nulls_first = static_cast<bool*>(palloc0(sizeof(bool) * width));
    for (int i = 0; i < set->width; ++i) {
        numbers[i] = static_cast<AttrNumber>(i + 1);
        operators[i] = set->columns[i].less;
        collations[i] = set->columns[i].collation;
    }
    return tuplesort_begin_heap(desc, set->width, numbers, operators, collations, nulls_first,
                                work_mem, nullptr, TUPLESORT_NONE);
}

KeySpill* MakeSpill(const KeySet* set) {
    MemoryContext caller = MemoryContextSwitchTo(MemoryContextGetParent(set->context));
    TupleDesc desc = CreateTemplateTupleDesc(set->width);
    for (int i = 0; i < set->width; ++i) {
        const auto number = static_cast<AttrNumber>(i + 1);
        TupleDescInitEntry(desc, number, nullptr, set->columns[i].type, -1, 0);
        TupleDescInitEntryCollation(desc, number, set->columns[i].collation);
    }
    auto* spill = static_cast<KeySpill*>(palloc0(sizeof(KeySpill)));
    spill->sort = BeginSort(set, desc);
    spill->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
    spill->sorted = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
    for (MemoryContext& context : spill->contexts) {
        context = AllocSetContextCreate(CurrentMemoryContext, "freshcrm sorted keys",
                                        ALLOCSET_DEFAULT_SIZES);
    }
    MemoryContextSwitchTo(caller);
    return spill;
}

// Temporary files belong to whom the set belongs, not to who happens to add to it: that may be a
// subtransaction, which ends earlier.
template <typename Body>
void AsOwner(const KeySet* set, Body body) {
    ResourceOwner caller = CurrentResourceOwner;
    CurrentResourceOwner = set->owner;
    body();
    CurrentResourceOwner = caller;
}

void ForgetTuples(KeySet* set) {
    MemoryContextReset(set->context);
    set->values = nullptr;
    set->count = 0;
    set->capacity = 0;
    set->next = 0;
    set->bytes = 0;
}

void MoveToDisk(KeySet* set) {
    if (set->spill == nullptr) {
        set->spill = MakeSpill(set);
    }
    AsOwner(set, [&] {
        TupleTableSlot* slot = set->spill->slot;
        for (int i = 0; i < set->count; ++i) {
            ExecClearTuple(slot);
            for (int j = 0; j < set->width; ++j) {
                slot->tts_values[j] = Tuple(set, i)[j];
                slot->tts_isnull[j] = false;
            }
            ExecStoreVirtualTuple(slot);
            tuplesort_puttupleslot(set->spill->sort, slot);
        }
        ExecClearTuple(slot);
    });
    ForgetTuples(set);
}

void EndSort(KeySet* set) {
    if (set->spill != nullptr && set->spill->sort != nullptr) {
        tuplesort_end(set->spill->sort);
        set->spill->sort = nullptr;
        ExecDropSingleTupleTableSlot(set->spill->slot);
        ExecDropSingleTupleTableSlot(set->spill->sorted);
    }
}

KeySet EmptyPiece(const KeySet* set, MemoryContext context) {
    KeySet piece = *set;
    piece.context = context;
    piece.count = 0;
    piece.capacity = 0;
    piece.next = 0;
    piece.values = nullptr;
    piece.bytes = 0;
    piece.spill = nullptr;
    return piece;
}

void ReadSorted(KeySet* set, int most, KeySet* piece) {
    KeySpill* spill = set->spill;
    spill->turn = 1 - spill->turn;
    MemoryContext context = spill->contexts[spill->turn];
    MemoryContextReset(context);
    *piece = EmptyPiece(set, context);
    MemoryContext caller = MemoryContextSwitchTo(context);
    while (piece->count < most && piece->bytes < set->most_bytes) {
        CHECK_FOR_INTERRUPTS();
        if (!tuplesort_gettupleslot(spill->sort, true, false, spill->sorted, nullptr)) {
            EndSort(set);
            break;
        }
        slot_getallattrs(spill->sorted);
        const Datum* tuple = spill->sorted->tts_values;
        if (spill->last == nullptr || CompareTuples(set, tuple, spill->last) != 0) {
            Append(piece, tuple);
            spill->last = Tuple(piece, piece->count - 1);
        }
    }
    MemoryContextSwitchTo(caller);
}

}  // namespace

KeyShape MakeKeyShape(int width) {
    const Size size = sizeof(KeySetColumn) * static_cast<Size>(width);
    return {width, static_cast<KeySetColumn*>(palloc0(size)), true};
}

void SetColumn(KeyShape* shape, int number, Oid type, Oid collation) {
    KeySetColumn* column = &shape->columns[number];
    column->type = type;
    column->collation = collation;
    get_typlenbyvalalign(type, &column->length, &column->by_value, &column->align);
    TypeCacheEntry* cached = lookup_type_cache(type, TYPECACHE_CMP_PROC_FINFO | TYPECACHE_LT_OPR);
    column->compare = &cached->cmp_proc_finfo;
    column->less = cached->lt_opr;
    shape->sortable = shape->sortable && OidIsValid(column->compare->fn_oid);
}

KeySet MakeKeySet(MemoryContext context, const KeyShape& shape) {
    KeySet set{};
    set.context = AllocSetContextCreate(context, "freshcrm keys", ALLOCSET_DEFAULT_SIZES);
    set.owner = CurrentResourceOwner;
    set.width = shape.width;
    set.columns = shape.columns;
    set.sortable = shape.sortable;
    set.most_bytes = static_cast<Size>(work_mem) * 1024;
    return set;
}

void Add(KeySet* set, const Datum* tuple) {
    if (set->bytes > set->most_bytes && set->sortable) {
        SortUniqueInMemory(set);
        if (set->bytes > set->most_bytes / 2) {
            MoveToDisk(set);
        }
    }
    MemoryContext caller = MemoryContextSwitchTo(set->context);
    Append(set, tuple);
    MemoryContextSwitchTo(caller);
}

void SortUnique(KeySet* set) {
    if (set->spill == nullptr) {
        SortUniqueInMemory(set);
        return;
    }
    MoveToDisk(set);
    AsOwner(set, [&] { tuplesort_performsort(set->spill->sort); });
}

bool NextPiece(KeySet* set, int most, KeySet* piece) {
    if (set->spill != nullptr) {
        if (set->spill->sort == nullptr) {
            return false;
        }
        AsOwner(set, [&] { ReadSorted(set, most, piece); });
        return piece->count > 0;
    }
    *piece = EmptyPiece(set, set->context);
    piece->count = Min(most, set->count - set->next);
    if (piece->count == 0) {
        return false;
    }
    piece->values = MutableTuple(set, set->next);
    set->next += piece->count;
    return true;
}

int CompareTuples(const KeySet* set, const Datum* a, const Datum* b) {
    for (int i = 0; i < set->width; ++i) {
        const KeySetColumn& column = set->columns[i];
        const int32 order =
            DatumGetInt32(FunctionCall2Coll(column.compare, column.collation, a[i], b[i]));
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

bool Contains(const KeySet* set, const Datum* tuple) {
    return bsearch_arg(tuple, set->values, static_cast<size_t>(set->count), TupleSize(set),
                       CompareForSort, const_cast<KeySet*>(set)) != nullptr;
}

bool Rewind(KeySet* set) {
    set->next = 0;
    if (set->spill == nullptr) {
        return true;
    }
    EndSort(set);
    set->spill = nullptr;
    ForgetTuples(set);
    return false;
}

void FreeTuples(KeySet* set) {
    EndSort(set);
    ForgetTuples(set);
}

void ToArrays(const KeySet* piece, Datum* arrays) {
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(piece->count)));
    for (int i = 0; i < piece->width; ++i) {
        const KeySetColumn& column = piece->columns[i];
        for (int j = 0; j < piece->count; ++j) {
            values[j] = Tuple(piece, j)[i];
        }
        arrays[i] = PointerGetDatum(construct_array(values, piece->count, column.type,
                                                    column.length, column.by_value, column.align));
    }
    pfree(values);
}

}  // namespace freshcrm::projection
