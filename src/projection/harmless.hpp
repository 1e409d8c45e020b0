// What runs as well with the rights and settings of whoever writes as with those of the
// projection's owner, so that these need not be taken on: that costs as much as a small write.
#pragma once

#include "projection/patch.hpp"

namespace freshcrm::projection {

// Types whose functions are the server's own and do not depend on settings in binary form, order
// and equality: all that come with it, enums, and arrays and domains of those are not.
bool IsHarmlessType(Oid type);

// Comparisons and tests of columns and constants by the server's own operators; true for null.
bool IsHarmless(const Expr* expression);

bool IsHarmlessPatch(const RowPatch* patch);

}  // namespace freshcrm::projection
