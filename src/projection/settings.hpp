// The settings freshcrm.*, which exist from the moment the module is loaded.
#pragma once

namespace freshcrm::projection {

// freshcrm.patch: whether upkeep may avoid work by what lineage knows about a change. Off, every
// affected row is read from the view as a whole. The rows come out the same.
bool PatchAllowed();

// Defines them; once a backend.
void InitSettings();

}  // namespace freshcrm::projection
