// The SQL function of the counts.
#include "pg/entry.hpp"
#include "projection/counts.hpp"

extern "C" {
#include "funcapi.h"
}

using namespace freshcrm::projection;

FRESHCRM_FUNCTION(freshcrm_applied) {
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) {
        elog(ERROR, "applied has no columns to return");
    }
    uint64 counts[kCounts]{};
    const bool counted = ReadCounts(PG_GETARG_INT32(0), counts);
    Datum values[kCounts];
    bool nulls[kCounts];
    for (int i = 0; i < kCounts; ++i) {
        values[i] = UInt64GetDatum(counts[i]);
        nulls[i] = !counted;
    }
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
