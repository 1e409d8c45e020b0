// A projection as a backend works with it: its definition, its lineage and its statements.
//
// The definition is a row of the table freshcrm.projection. Each backend keeps what it makes of it
// until one of the relations involved changes; the server's relation-cache invalidation says so.
#pragma once

#include "etag/row_digest.hpp"
#include "projection/lineage.hpp"

namespace freshcrm::projection {

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
};

struct Projection {
    int32 id;
    Oid target;
    Oid source;
    Oid owner;         // the target's owner, as whom maintenance runs
    const char* name;  // the target, for messages

    TupleDesc columns;  // of the view; the target has them under the same names
    Lineage* lineage;

    // The key. Its type's own functions, with the column's collation.
    const char* key;
    const char* key_operator;  // OPERATOR(schema.=)
    FmgrInfo key_compare;
    FmgrInfo key_hash;  // fn_oid is invalid when the type has no hash operator class
    int16 key_length;
    bool key_by_value;
    char key_align;

    etag::RowDigester* digester;
    Statements statements;
    MemoryContext context;  // owns all of the above
    bool valid;             // no relation involved has changed since it was made

    // Counts the recomputes of this projection in this backend; outlives the struct.
    uint64* runs;
};

// Finds the projection and takes the locks that keep it as it is until the end of the transaction:
// ACCESS SHARE on the view, ROW EXCLUSIVE on the target (ACCESS SHARE on a standby). The result is
// good until the end of the transaction, also when it is replaced in between. Raises 42704 when
// there is none, 55000 when the target no longer fits the view, and what TraceLineage() raises.
Projection* OpenProjection(int32 id);

// Registers the invalidation callback; once a backend.
void InitProjectionCache();

}  // namespace freshcrm::projection
