// Feeds: how a column of the view is made of rows of a table (patch.hpp).
#pragma once

#include "projection/patch.hpp"

namespace freshcrm::projection {

// A column of the view, by its number, that values of this expression feed (null: no value).
PatchColumn* NewColumn(Feed feed, AttrNumber resno, Expr* value);

// Sets what the aggregate does with the values of the column. Returns false when it is none of
// those whose result can be brought forward.
bool ReadFeed(const Aggref* aggregate, PatchColumn* column);

}  // namespace freshcrm::projection
