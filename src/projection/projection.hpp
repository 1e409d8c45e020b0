// A projection as a backend works with it: its definition, its lineage and its statements.
//
// The definition is a row of the table freshcrm.projection. Each backend keeps what it makes of it
// until one of the relations involved changes; the server's cache invalidation says so.
#pragma once

#include "etag/row_digest.hpp"
#include "pg/transaction.hpp"
#include "projection/keys.hpp"
#include "projection/lineage.hpp"
#include "projection/modes.hpp"

namespace freshcrm::projection {

struct Collections;   // collection.hpp
struct Counter;       // counts.hpp
struct Definition;    // definition.hpp
struct TargetLayout;  // target_writer.hpp

// The bookkeeping columns of a target; a view cannot have columns of these names.
inline constexpr const char* kUpdatedAt = "updated_at";
inline constexpr const char* kVersionEtag = "version_etag";

// Statements of a projection, prepared when first needed (statements.hpp).
struct Statements {
    SPIPlanPtr diff_one;
    SPIPlanPtr diff_many;
    SPIPlanPtr diff_all;
    SPIPlanPtr verify;
    SPIPlanPtr null_key;
    SPIPlanPtr insert;
    SPIPlanPtr update;
    SPIPlanPtr remove;
    SPIPlanPtr tag;  // row_tag.hpp
};

// The diffs of some of the view's columns (statements.hpp), prepared when first needed.
struct NarrowDiff {
    Bitmapset* columns;
    SPIPlanPtr one;
    SPIPlanPtr many;
};

// A column of the key, with its type's own functions.
struct Key {
    const char* name;   // in the target
    AttrNumber attnum;  // in the view
    Oid type;
    Oid collation;
    const char* equals;  // OPERATOR(schema.=)
    // What casts an operand of it, or an array of them, to exactly what it takes: "" or ::type. By
    // other operands one that somebody else has made in that schema could be meant.
    const char* cast;
    const char* array_cast;
    FmgrInfo compare;
    FmgrInfo hash;  // fn_oid is invalid when the type has no hash operator class
    int16 length;
    bool by_value;
    char align;
};

struct Projection {
    int32 id;
    Oid target;
    Oid source;
    Oid owner;         // of view and target: as whom maintenance runs
    bool restored;     // see IsRestored()
    const char* name;  // the target, for messages
    Mode mode;
    OnError on_error;
    int rank;  // more than that of any projection whose table the view reads

    TupleDesc columns;          // of the view
    const char** stored_names;  // for each of them, the target's column
    Lineage* lineage;
    int key_count;
    Key* keys;
    KeyShape key_shape;

    etag::RowDigester* digester;
    Statements statements;
    Collections* collections;  // whose tag is kept; or null
    TargetLayout* layout;      // how the target is written without statements; or null
    uint64 recomputed;         // how often keys have been recomputed, in this backend
    Counter* counter;          // null until something is counted
    List* narrow;              // of NarrowDiff*
    MemoryContext context;     // owns all of the above
    bool valid;                // nothing that it depends on has changed since it was made

    pg::RunningSubtransaction locked;  // that which has last taken all its locks
};

// Finds the projection and takes the locks that keep it as it is until the end of the transaction:
// ACCESS SHARE on the views and base tables, ROW EXCLUSIVE on the target (ACCESS SHARE on a
// standby). The result is good until the end of the transaction, also when it is replaced in
// between. Raises 42704 when there is none, 55000 when the target no longer fits the view or has
// another owner, and what TraceLineage() raises.
Projection* OpenProjection(int32 id);

// The projection of this target; FindOwned() and OpenOwned() for what only its owner may do. Raise
// 42704 when it is none, the latter two 42501 when the current user is another, and OpenOwned()
// what OpenProjection() raises, too.
Definition* FindTarget(Oid target);
[[noreturn]] void RaiseNotTarget(Oid table);
Definition* FindOwned(Oid target);
Projection* OpenOwned(Oid target);

// As OpenProjection(), for upkeep; null when there is no definition or it IsRestored().
Projection* OpenMaintained(int32 id);

// The same without the locks of base tables, which most writes to them do not need: those that
// change nothing that the view reads. For others LockBaseTables() follows, after which the
// projection may no longer be valid.
Projection* OpenWatched(int32 id);
void LockBaseTables(Projection* projection);

// Registers the invalidation callbacks; once a backend.
void InitProjectionCache();

}  // namespace freshcrm::projection
