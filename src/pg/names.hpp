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

// The equality of a type's default operator class, as SQL: OPERATOR(schema.=), and what casts its
// operands to exactly what it takes ("" or ::type), since the name alone could mean another
// operator.
struct TypeEquality {
    const char* op;
    const char* cast;
};
TypeEquality EqualityOfType(Oid type);

}  // namespace freshcrm::pg
