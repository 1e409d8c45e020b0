// The canonical form of one SQL value inside a row's digest. README.md states the form.
#pragma once

#include "etag/type_plan.hpp"
// After the server's headers.
#include "core/digest.hpp"

namespace freshcrm::etag {

// The encoding that text is digested in. In a database of encoding SQL_ASCII nobody knows what the
// bytes mean: they are taken as they are.
int CanonicalEncoding();

// Add one node, or one a live column. They leave garbage in the current memory context, and need
// CanonicalEncoding() as the client encoding.
void DigestValue(core::RowDigest* digest, TypePlan* plan, Datum value, bool null);
void DigestColumns(core::RowDigest* digest, const RowPlan* plan, const Datum* values,
                   const bool* nulls);

}  // namespace freshcrm::etag
