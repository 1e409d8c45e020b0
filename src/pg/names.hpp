// Names of catalog objects as SQL text: always quoted, always with their schema, so that the text
// means the same under any search_path. Results are palloc'ed; a missing object raises XX000, as in
// lsyscache.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::pg {

// "schema"."table"
const char* QualifiedRelation(Oid relid);

// "column"
const char* QuotedColumn(Oid relid, AttrNumber attnum);

// OPERATOR("schema".=)
const char* QualifiedOperator(Oid opno);

// The type for a cast or a column definition, with its type modifier.
const char* QualifiedType(Oid type, int32 typmod);

// Invalid when the relation does not exist.
Oid OwnerOfRelation(Oid relid);

// schema.table for messages, without quotes that are not needed.
const char* RelationForMessage(Oid relid);

}  // namespace freshcrm::pg
