// What patches of every kind share: the path that a source must have, and a patch made of columns.
#pragma once

#include "projection/patch.hpp"

namespace freshcrm::projection {

// The one path of the source, when it sets out from columns alone; or null.
const Path* OnlyPath(const Lineage* lineage, const Source* source);

// `fed`: of PatchColumn*.
RowPatch* NewPatch(const List* fed);

}  // namespace freshcrm::projection
