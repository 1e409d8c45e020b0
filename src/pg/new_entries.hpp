// The index entries that an update of a row leaves to be made, as table_tuple_update() says.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "access/tableam.h"
#include "executor/executor.h"
}

namespace freshcrm::pg {

#if PG_VERSION_NUM < 160000
using NewEntries = bool;
inline constexpr NewEntries kNoNewEntries = false;

inline bool InAllIndexes(NewEntries entries) {
    return entries;
}

// Of the row in `slot`, in the indexes that ExecOpenIndices() has opened.
inline void InsertNewEntries(NewEntries, ResultRelInfo* table, TupleTableSlot* slot,
                             EState* estate) {
    (void)ExecInsertIndexTuples(table, slot, estate, true, false, nullptr, NIL);
}
#else
using NewEntries = TU_UpdateIndexes;
inline constexpr NewEntries kNoNewEntries = TU_None;

inline bool InAllIndexes(NewEntries entries) {
    return entries == TU_All;
}

// Of the row in `slot`, in the indexes that ExecOpenIndices() has opened. After a heap-only update
// these are summarizing ones alone.
inline void InsertNewEntries(NewEntries entries, ResultRelInfo* table, TupleTableSlot* slot,
                             EState* estate) {
    (void)ExecInsertIndexTuples(table, slot, estate, true, false, nullptr, NIL,
                                entries == TU_Summarizing);
}
#endif

}  // namespace freshcrm::pg
