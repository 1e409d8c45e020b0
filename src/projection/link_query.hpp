// The links of a path (links.hpp) and the queries that find them from keys: the path backwards.
#pragma once

#include "projection/path_sql.hpp"

namespace freshcrm::projection {

// Sets the links of the writer's path, whose form is kLinks.
void SetLinks(const PathWriter& writer, const KeyColumn* keys);

// The attributes by which the path goes through rows of an occurrence that it reads.
Bitmapset* LinkingColumns(const WalkedView& view, int occurrence, const FlatPath& flat);

}  // namespace freshcrm::projection
