// Values that outlive what they were read from.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/datum.h"
}

namespace freshcrm::pg {

// A copy in the current context, detoasted.
inline Datum CopyFlat(Datum value, bool by_value, int16 length) {
    return length == -1 ? PointerGetDatum(PG_DETOAST_DATUM_COPY(value))
                        : datumCopy(value, by_value, length);
}

}  // namespace freshcrm::pg
