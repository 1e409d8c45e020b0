// The short way for changes that are nothing but patches, and that call nothing which needs the
// owner's rights and settings, nor SPI: what is set up for these costs more than the patches.
#pragma once

#include "projection/changes.hpp"

namespace freshcrm::projection {

// Follows a list of Changes*, then frees them; works in `context`. Returns false when they have to
// be followed otherwise.
bool PatchAlone(Projection* projection, const List* list, MemoryContext context);

}  // namespace freshcrm::projection
