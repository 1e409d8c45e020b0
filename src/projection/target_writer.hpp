// Writes rows of a target as the server's own replication does (execReplication.c): found by the
// index of the key, updated with their index entries, without a statement.
//
// That leaves out what only statements do, so it is for targets that need none of it: no triggers
// but the guard and those that watch the table, no rules, and no constraints or indexes that call
// functions. A watched target's changes are noted when it is closed.
#pragma once

#include "projection/collection_deltas.hpp"
#include "projection/projection.hpp"

extern "C" {
#include "access/skey.h"
#include "executor/tuptable.h"
}

namespace freshcrm::projection {

// What is known of the target as long as the projection is valid.
struct TargetLayout {
    Oid index;           // unique, of the key
    int* index_keys;     // for each of its columns: which column of the key
    ScanKey scan_keys;   // without values
    AttrNumber* stored;  // for each column of the view
    AttrNumber updated_at;
    AttrNumber version_etag;
    bool watched;   // by the triggers of a watched table
    bool harmless;  // writing calls no function that could act for whoever writes (harmless.hpp)
};

// Null when the target needs statements. In the current context.
TargetLayout* ReadLayout(const Projection* projection);

struct TargetWriter {
    const Projection* projection;
    Relation table;
    struct EState* estate;
    struct ResultRelInfo* result;
    bool indexes_open;  // those of `result`
    Relation index;     // of the key
    struct IndexScanDescData* scan;
    TupleTableSlot* old_row;
    TupleTableSlot* new_row;
    text* tag;
    bool wrote;                // a row
    CollectionDeltas* deltas;  // what it does to collections, written when it is closed
};

// Columns of the view that rows will differ in.
TargetWriter OpenTarget(const Projection* projection, const Bitmapset* columns);
void CloseTarget(TargetWriter* writer);

// Finds the row as the active snapshot, which is fresh, has it, in `old_row`.
bool FindRow(TargetWriter* writer, const Datum* key);

enum class Written { kYes, kChanged };

// Replaces the row found by one with these columns of the view, their tag and the time. kChanged:
// somebody else, who writes to the table directly, has changed or deleted it meanwhile. Above READ
// COMMITTED that is an error, 40001, and so is a version that this transaction does not see.
Written ReplaceRow(TargetWriter* writer, const Datum* values, const bool* nulls);

}  // namespace freshcrm::projection
