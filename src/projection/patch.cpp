#include "projection/patch.hpp"

#include "pg/datum.hpp"

extern "C" {
#include "executor/executor.h"
#include "utils/datum.h"
}

namespace freshcrm::projection {

namespace {

// How much is asked of the server at once for patches.
constexpr Size kBlock = 65536;
constexpr Size kFirstBlock = 512;

// To merge more rows of a key one by one takes longer than to compute the aggregate.
constexpr int kMostMerged = 256;

Size PatchSize(const RowPatch* patch) {
    return offsetof(Patch, deltas) + sizeof(Delta) * static_cast<Size>(patch->column_count);
}

void* Allocate(PatchList* list, Size size) {
    size = MAXALIGN(size);
    if (size > list->left) {
        list->left = Max(size, list->bytes == 0 ? kFirstBlock : kBlock);
        list->block = static_cast<char*>(MemoryContextAlloc(list->context, list->left));
    }
    void* allocated = list->block;
    list->block += size;
    list->left -= size;
    list->bytes += size;
    return allocated;
}

Datum CopyStart(PatchList* list, const KeySetColumn& column, Datum value) {
    if (column.by_value) {
        return value;
    }
    if (column.length < 0) {
        const struct varlena* plain =
            column.length == -1 ? PG_DETOAST_DATUM(value)
                                : reinterpret_cast<struct varlena*>(DatumGetPointer(value));
        value = PointerGetDatum(plain);
    }
    const Size size = datumGetSize(value, false, column.length);
    void* copy = Allocate(list, size);
    memcpy(copy, DatumGetPointer(value), size);
    return PointerGetDatum(copy);
}

// NULL counts as false.
bool IsTrue(const KeptState& condition, TupleTableSlot* slot, ExprContext* expressions) {
    bool isnull;
    const Datum value = Evaluate(condition, slot, expressions, &isnull);
    return !isnull && DatumGetBool(value);
}

Datum ValueOf(PatchColumn* column, TupleTableSlot* slot, ExprContext* expressions, bool* isnull) {
    return column->attnum != 0 ? slot_getattr(slot, column->attnum, isnull)
                               : Evaluate(column->value_state, slot, expressions, isnull);
}

// Calls `visit` for each expression of a patch that is evaluated, until it returns false.
template <typename Visit>
bool VisitStates(RowPatch* patch, Visit visit) {
    if (patch->condition != nullptr && !visit(&patch->condition_state, patch->condition)) {
        return false;
    }
    for (int i = 0; i < patch->column_count; ++i) {
        PatchColumn* column = &patch->columns[i];
        if ((column->condition != nullptr && !visit(&column->condition_state, column->condition)) ||
            (column->value != nullptr && column->attnum == 0 &&
             !visit(&column->value_state, column->value))) {
            return false;
        }
    }
    return true;
}

bool SameImage(const PatchColumn* column, Datum a, Datum b) {
    return datum_image_eq(a, b, column->by_value, column->length);
}

int Compare(PatchColumn* column, Datum a, Datum b) {
    const int32 order =
        DatumGetInt32(FunctionCall2Coll(&column->function, column->collation, a, b));
    return column->feed == Feed::kMax ? order : -order;
}

// The one of two values that counts: the outermost, the sum, or the boolean that decides.
Datum Gather(PatchColumn* column, Datum a, Datum b) {
    switch (column->feed) {
        case Feed::kMax:
        case Feed::kMin:
            return Compare(column, a, b) >= 0 ? a : b;
        case Feed::kSum:
        case Feed::kMerge:
            return FunctionCall2Coll(&column->function, column->collation, a, b);
        case Feed::kAnd:
            return BoolGetDatum(DatumGetBool(a) && DatumGetBool(b));
        case Feed::kOr:
            return BoolGetDatum(DatumGetBool(a) || DatumGetBool(b));
        default:
            return b;
    }
}

void Add(PatchColumn* column, Delta* delta, bool comes, Datum value) {
    if (column->feed == Feed::kMerge && (!comes || delta->count > kMostMerged)) {
        delta->uncertain = true;
        return;
    }
    bool* any = comes ? &delta->added : &delta->removed;
    Datum* total = comes ? &delta->add : &delta->remove;
    const bool outer = column->feed == Feed::kMax || column->feed == Feed::kMin;
    if (outer && *any && Compare(column, *total, value) == 0 && !SameImage(column, *total, value)) {
        delta->uncertain = true;
    }
    *total = *any ? Gather(column, *total, value) : value;
    *any = true;
}

void Unite(RowPatch* patch, Patch* into, const Patch* next) {
    for (int i = 0; i < patch->column_count; ++i) {
        PatchColumn* column = &patch->columns[i];
        Delta* delta = &into->deltas[i];
        const Delta* more = &next->deltas[i];
        if (column->feed == Feed::kCopy) {
            *delta = *more;
            continue;
        }
        if (more->added) {
            Add(column, delta, true, more->add);
        }
        if (more->removed) {
            Add(column, delta, false, more->remove);
        }
        delta->count += more->count;
        delta->uncertain = delta->uncertain || more->uncertain;
    }
}

int CompareInTime(const void* a, const void* b, void* starts) {
    const Patch* first = *static_cast<Patch* const*>(a);
    const Patch* second = *static_cast<Patch* const*>(b);
    const int order =
        CompareTuples(static_cast<const KeySet*>(starts), first->start, second->start);
    return order != 0 ? order : first->number - second->number;
}

// What goes can be told from the old value only where another keeps that value up.
bool RemoveOuter(PatchColumn* column, const Delta* delta, Datum value, bool null) {
    return !null && Compare(column, delta->remove, value) < 0;
}

// A value of the same order that looks otherwise (numeric 1.0 and 1.00): which of them the
// aggregate returns depends on the order of the rows.
bool AddOuter(PatchColumn* column, const Delta* delta, Datum* value, bool* null) {
    const int order = *null ? 1 : Compare(column, delta->add, *value);
    if (order == 0) {
        return SameImage(column, delta->add, *value);
    }
    *value = order > 0 ? delta->add : *value;
    *null = false;
    return true;
}

bool ApplyOuter(PatchColumn* column, const Delta* delta, Datum* value, bool* null) {
    return (!delta->added || AddOuter(column, delta, value, null)) &&
           (!delta->removed || RemoveOuter(column, delta, *value, *null));
}

// Only integers can be taken away again, and not the last of them, which leaves NULL.
bool ApplySum(PatchColumn* column, const Delta* delta, Datum* value, bool* null) {
    if (delta->removed && (!column->exact_removal || *null || delta->count < 0)) {
        return false;
    }
    int64 sum = 0;
    if (delta->removed) {
        if (pg_sub_s64_overflow(DatumGetInt64(*value), DatumGetInt64(delta->remove), &sum)) {
            return false;
        }
        *value = Int64GetDatum(sum);
    }
    if (delta->added) {
        *value = *null ? delta->add : Gather(column, *value, delta->add);
        *null = false;
    }
    return true;
}

bool ApplyBoolean(PatchColumn* column, const Delta* delta, Datum* value, bool* null) {
    const bool deciding = column->feed == Feed::kOr;
    if (delta->added) {
        *value = *null ? delta->add : Gather(column, *value, delta->add);
        *null = false;
    }
    // One that decides nothing goes, while another decides.
    return !delta->removed ||
           (!*null && DatumGetBool(*value) == deciding && DatumGetBool(delta->remove) != deciding);
}

}  // namespace

bool IsPrepared(RowPatch* patch) {
    return VisitStates(patch, [](const KeptState* kept, Expr*) { return IsReady(*kept); });
}

void PreparePatch(RowPatch* patch, MemoryContext context) {
    (void)VisitStates(patch, [context](KeptState* kept, Expr* expression) {
        if (!IsReady(*kept)) {
            PrepareState(kept, expression, context);
        }
        return true;
    });
}

bool ConditionHolds(RowPatch* patch, TupleTableSlot* slot, ExprContext* expressions) {
    return patch->condition == nullptr || IsTrue(patch->condition_state, slot, expressions);
}

Patch* AddPatch(PatchList* list, const KeySet* starts, const RowPatch* patch, const Datum* start,
                MemoryContext parent) {
    if (list->context == nullptr) {
        list->context = AllocSetContextCreate(parent, "freshcrm patches", ALLOCSET_SMALL_SIZES);
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 4 : list->capacity * 2;
        const Size size = sizeof(Patch*) * static_cast<Size>(list->capacity);
        list->patches =
            static_cast<Patch**>(list->patches == nullptr ? MemoryContextAlloc(list->context, size)
                                                          : repalloc_huge(list->patches, size));
    }
    auto* added = static_cast<Patch*>(Allocate(list, PatchSize(patch)));
    memset(added, 0, PatchSize(patch));
    auto* values =
        static_cast<Datum*>(Allocate(list, sizeof(Datum) * static_cast<Size>(starts->width)));
    for (int i = 0; i < starts->width; ++i) {
        values[i] = CopyStart(list, starts->columns[i], start[i]);
    }
    added->start = values;
    added->number = list->added++;
    list->patches[list->count++] = added;
    return added;
}

void AddImage(PatchList* list, RowPatch* patch, Patch* of, TupleTableSlot* slot, bool comes,
              ExprContext* expressions) {
    for (int i = 0; i < patch->column_count; ++i) {
        PatchColumn* column = &patch->columns[i];
        Delta* delta = &of->deltas[i];
        if (column->condition != nullptr && !IsTrue(column->condition_state, slot, expressions)) {
            continue;
        }
        bool isnull = false;
        const Datum value =
            column->value == nullptr ? Datum{0} : ValueOf(column, slot, expressions, &isnull);
        if (column->feed == Feed::kCopy) {
            delta->added = true;
            delta->null = isnull;
        } else if (isnull) {
            continue;
        }
        delta->count += comes ? 1 : -1;
        if (column->feed == Feed::kCount || isnull) {
            continue;
        }
        MemoryContext caller = MemoryContextSwitchTo(list->context);
        if (column->feed == Feed::kCopy) {
            delta->add = pg::CopyFlat(value, column->by_value, column->length);
        } else {
            Add(column, delta, comes, pg::CopyFlat(value, column->by_value, column->length));
        }
        MemoryContextSwitchTo(caller);
    }
}

void UnitePatches(PatchList* list, RowPatch* patch, const KeySet* starts) {
    if (list->count < 2) {
        return;
    }
    qsort_arg(list->patches, static_cast<size_t>(list->count), sizeof(Patch*), CompareInTime,
              const_cast<KeySet*>(starts));
    MemoryContext caller = MemoryContextSwitchTo(list->context);
    int kept = 0;
    for (int i = 1; i < list->count; ++i) {
        if (CompareTuples(starts, list->patches[kept]->start, list->patches[i]->start) == 0) {
            Unite(patch, list->patches[kept], list->patches[i]);
        } else {
            list->patches[++kept] = list->patches[i];
        }
    }
    list->count = kept + 1;
    MemoryContextSwitchTo(caller);
}

bool ApplyDelta(PatchColumn* column, const Delta* delta, Datum* value, bool* null) {
    if (delta->uncertain) {
        return false;
    }
    switch (column->feed) {
        case Feed::kCopy:
            *value = delta->add;
            *null = delta->null;
            return true;
        case Feed::kCount:
            *value = Int64GetDatum(DatumGetInt64(*value) + delta->count);
            return !*null && DatumGetInt64(*value) >= 0;
        case Feed::kMax:
        case Feed::kMin:
            return ApplyOuter(column, delta, value, null);
        case Feed::kSum:
            return ApplySum(column, delta, value, null);
        case Feed::kMerge:
            if (delta->added) {
                *value = *null ? delta->add : Gather(column, *value, delta->add);
                *null = false;
            }
            return true;
        default:
            return ApplyBoolean(column, delta, value, null);
    }
}

}  // namespace freshcrm::projection
