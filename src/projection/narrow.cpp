#include "projection/narrow.hpp"

#include "projection/changes.hpp"
#include "projection/settings.hpp"
#include "projection/statements.hpp"

#include <utility>

namespace freshcrm::projection {

namespace {

// A workload has few, each with plans of its own.
constexpr int kMostNarrowDiffs = 16;

// Exchanges the values of the set that the view returned and those that the target holds.
void SwapColumns(const Projection* projection, const NarrowDiff* narrow, DiffRow* row) {
    int stored = StoredColumns(projection);
    for (int i = -1; (i = bms_next_member(narrow->columns, i)) >= 0; ++stored) {
        std::swap(row->values[i - 1], row->values[stored]);
        std::swap(row->nulls[i - 1], row->nulls[stored]);
    }
}

bool HasTagOfItsColumns(const Projection* projection, const NarrowDiff* narrow, DiffRow* row) {
    DiffRow stored = *row;
    SwapColumns(projection, narrow, &stored);
    etag::DigestRow(projection->digester, stored.values, stored.nulls, stored.tag);
    const bool same = SameTag(projection, &stored);
    SwapColumns(projection, narrow, &stored);
    return same;
}

}  // namespace

Effect AffectedBy(const List* changes) {
    Effect affected{};
    ListCell* cell;
    foreach (cell, changes) {
        AddEffect(&affected, static_cast<Changes*>(lfirst(cell))->affected, CurrentMemoryContext);
    }
    return PatchAllowed() ? affected : kWholeRow;
}

bool IsNarrow(const Effect& effect, int others) {
    return !effect.whole && bms_num_members(effect.columns) < others;
}

NarrowDiff* FindNarrowDiff(Projection* projection, const Effect& affected) {
    if (!IsNarrow(affected, ColumnCount(projection) - projection->key_count)) {
        return nullptr;
    }
    ListCell* cell;
    foreach (cell, projection->narrow) {
        auto* narrow = static_cast<NarrowDiff*>(lfirst(cell));
        if (bms_equal(narrow->columns, affected.columns)) {
            return narrow;
        }
    }
    if (list_length(projection->narrow) == kMostNarrowDiffs) {
        return nullptr;
    }
    MemoryContext caller = MemoryContextSwitchTo(projection->context);
    auto* narrow = static_cast<NarrowDiff*>(palloc0(sizeof(NarrowDiff)));
    narrow->columns = bms_copy(affected.columns);
    projection->narrow = lappend(projection->narrow, narrow);
    MemoryContextSwitchTo(caller);
    return narrow;
}

bool IsReliable(const Projection* projection, const NarrowDiff* narrow, DiffRow* row) {
    return row->in_view && row->in_target &&
           (SameTag(projection, row) || HasTagOfItsColumns(projection, narrow, row));
}

}  // namespace freshcrm::projection
