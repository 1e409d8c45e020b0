#include "projection/settings.hpp"

#include "pg/postgres.hpp"

extern "C" {
#include "utils/guc.h"
}

namespace freshcrm::projection {

namespace {

bool patch = true;

}  // namespace

bool PatchAllowed() {
    return patch;
}

// A value that was set before is kept as a placeholder until then: a valid one is taken over, of
// another, and of names that are none, the server warns.
void InitSettings() {
    DefineCustomBoolVariable(
        "freshcrm.patch", "Lets upkeep compute no more of a row than a change can affect.",
        "Off, each affected row of a projection is read from its view as a whole. The rows come "
        "out the same.",
        &patch, true, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    MarkGUCPrefixReserved("freshcrm");
}

}  // namespace freshcrm::projection
