// Patches: what a changed row makes of rows of the target, where that follows from the row alone.
//
// A column of the view that is copied from the row, or a max, min, count, sum or boolean aggregate
// of rows like it, needs no query: the old row of the target and the changed row say what it
// becomes. Where that is not certain to be what the view would return, the key is recomputed.
//
// A patch is certain only when it is the one thing that happened to the row in between: see
// patch_order.hpp.
#pragma once

#include "projection/keys.hpp"
#include "projection/lineage.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace freshcrm::projection {

// kMerge: an aggregate of this extension, whose results of one row each can be merged.
enum class Feed { kCopy, kMax, kMin, kCount, kSum, kAnd, kOr, kMerge };

// A column of the view that the rows of a table feed.
struct PatchColumn {
    Feed feed;
    int column;         // of the view, from 0
    Expr* value;        // over the row's columns, as Vars of relation 1; null for count(*)
    AttrNumber attnum;  // `value` is this column; else 0
    Expr* condition;    // of the rows that an aggregate takes; null for all
    KeptState value_state;
    KeptState condition_state;
    FmgrInfo function;  // max, min: the comparison; sum: the addition; merge: what merges two
    Oid collation;
    int16 length;  // of the value
    bool by_value;
    bool exact_removal;  // sum: a value can be taken away again, as long as others remain
};

// How changes of a table are applied as patches.
struct RowPatch {
    bool copies;       // of the one row that belongs to a key; else aggregates of many
    Bitmapset* fixed;  // copies: attributes whose change is no patch
    bool grouped;      // aggregates: a key has a row as long as there are rows with the key
    int rows;          // grouped: the column of the view that says how many, from 0; -1 for none
    Expr* condition;   // copies: what must hold for the old and the new row; grouped: of rows that
                       // count; null for nothing
    KeptState condition_state;
    int column_count;
    PatchColumn* columns;
    bool harmless;    // it calls nothing but functions of the server that do as they always do
    bool infallible;  // and none that can fail
    Effect effect;    // the columns
};

// What happens to one column of one key.
struct Delta {
    bool added;      // a value
    bool removed;    // a value
    bool null;       // the copy is NULL
    bool uncertain;  // which of two values that compare equal it is
    int count;       // rows that come, less those that go
    Datum add;       // copy: the value; max, min: the outermost; sum: the sum
    Datum remove;    // the same of what goes
};

// Of one changed row, or of several that set out from the same values.
struct Patch {
    const Datum* start;                   // of the source's path
    int number;                           // in order of time
    Delta deltas[FLEXIBLE_ARRAY_MEMBER];  // one for each column of the RowPatch
};

// In a context of its own, once there is one.
struct PatchList {
    MemoryContext context;
    Patch** patches;
    int count;
    int capacity;
    int added;    // ever
    char* block;  // where the next ones are put: they are many and small
    Size left;
    Size bytes;  // used
};

// What evaluates the expressions: whether it is there, as of now, and what makes it. As the
// projection's owner unless `harmless`.
bool IsPrepared(RowPatch* patch);
void PreparePatch(RowPatch* patch, MemoryContext context);

// Whether an UPDATE that changed no fixed column can be a patch.
bool ConditionHolds(RowPatch* patch, TupleTableSlot* slot, ExprContext* expressions);

// Adds an empty patch with a start that could be a member of `starts`.
Patch* AddPatch(PatchList* list, const KeySet* starts, const RowPatch* patch, const Datum* start,
                MemoryContext parent);

// Adds to a patch what the row brings, or takes away.
void AddImage(PatchList* list, RowPatch* patch, Patch* of, TupleTableSlot* slot, bool comes,
              ExprContext* expressions);

// Sorts the patches by their starts and unites those of the same start.
void UnitePatches(PatchList* list, RowPatch* patch, const KeySet* starts);

// What has become of a value of the column. Returns false when that is not certain.
bool ApplyDelta(PatchColumn* column, const Delta* delta, Datum* value, bool* null);

}  // namespace freshcrm::projection
