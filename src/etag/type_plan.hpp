// How the values of a type are digested: found out once from the catalog, then used for every row.
//
// Plain palloc'ed structs, so that a longjmp loses nothing. A plan must not outlive a change of the
// types it was made for; only that of a composite value follows changes by itself.
#pragma once

#include "pg/postgres.hpp"
// After the server's headers.
#include "core/digest.hpp"

extern "C" {
#include "utils/typcache.h"
}

namespace freshcrm::etag {

struct RecordPlan;
struct RowPlan;

enum class Kind {
    kInteger1,  // passed by value, sent as a big-endian integer
    kInteger2,
    kInteger4,
    kInteger8,
    kFloat4,  // NaN has many bit patterns that no comparison or output tells apart: one is used
    kFloat8,
    kNumeric,
    kUuid,
    kBytes,    // bytea
    kText,     // stored as text, in the database's encoding
    kUnknown,  // a literal of no declared type: a C string, digested as the text it would become
    kObject,   // regclass and its like
    kArray,
    kRecord,
    kRange,
    kMultirange,
    kSend,  // any other type: its binary send form
};

struct TypePlan {
    Kind kind;
    core::NodeType type;
    int16 length;
    bool by_value;
    char align;
    FmgrInfo send;                // kSend, kNumeric
    Oid object_class;             // kObject: the catalog that the value is a row of
    TypePlan* part;               // kArray: element; kRange: bound; kMultirange: range
    TypeCacheEntry* range_cache;  // kRange, kMultirange: of the range type
    RecordPlan* record;           // kRecord
};

struct RecordPlan {
    MemoryContext keep;  // holds what follows, and is reset when it changes
    uint64 identifier;   // of the row type (assign_record_type_identifier), 0 when there is none
    // Of a named type: PostgreSQL changes the identifier there when the type has changed. Else
    // null.
    TypeCacheEntry* watched;
    TupleDesc desc;
    RowPlan* row;
    Datum* values;  // of the record that is being digested
    bool* nulls;
};

// The columns of a row: one plan an attribute, null where the attribute is dropped.
struct RowPlan {
    int attributes;
    int live;
    TypePlan** columns;
};

// Throws pg::Error 0A000 for a type that has no binary send form. Raises what catalog look-ups
// raise.
TypePlan* MakeTypePlan(Oid type, MemoryContext keep);
RowPlan* MakeRowPlan(TupleDesc desc, MemoryContext keep);
RecordPlan* MakeRecordPlan(MemoryContext keep);

// Fills in `row`, `values` and `nulls` for a composite datum: the values point into it, or into the
// current memory context.
void OpenRecord(RecordPlan* plan, HeapTupleHeader record);

}  // namespace freshcrm::etag
