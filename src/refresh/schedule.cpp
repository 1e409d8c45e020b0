#include "refresh/schedule.hpp"

#include "refresh/registered.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
}

namespace freshcrm::refresh {

namespace {

constexpr int kScheduleArguments = 10;

Datum FirstColumn(bool* isnull) {
    return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, isnull);
}

// Of the registered views with this name, the one that the session's search_path finds; any that is
// given with its schema.
Oid VisibleView(text* name) {
    static pg::KeptStatement find = {
        "SELECT c.oid, m.matview::regclass::text = $1 FROM freshcrm.matview AS m "
        "JOIN pg_class AS c ON c.oid = m.matview "
        "WHERE $1 IN (c.relname, quote_ident(c.relname), m.matview::regclass::text)",
        1,
        {TEXTOID},
        nullptr};
    Oid matview = InvalidOid;
    Datum value = PointerGetDatum(name);
    pg::RunKept(&find, OwnerOfTables(), &value, nullptr, true, [&] {
        for (uint64 row = 0; row < SPI_processed; ++row) {
            bool isnull;
            const HeapTuple tuple = SPI_tuptable->vals[row];
            const Oid found =
                DatumGetObjectId(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull));
            const bool qualified =
                DatumGetBool(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull));
            if (qualified || RelationIsVisible(found)) {
                matview = found;
            }
        }
    });
    return matview;
}

}  // namespace

Datum Schedule(const NullableDatum* arguments) {
    static pg::KeptStatement store = {
        "SELECT freshcrm.store_schedule($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        kScheduleArguments,
        {OIDOID, TEXTOID, TEXTOID, TEXTOID, INTERVALOID, INTERVALOID, TEXTOID, INTERVALOID,
         INTERVALOID, INT4OID},
        nullptr};
    constexpr int kTimezone = 3;
    Datum values[kScheduleArguments];
    char nulls[kScheduleArguments + 1] = {};
    for (int i = 0; i < kScheduleArguments; ++i) {
        values[i] = arguments[i].value;
        nulls[i] = arguments[i].isnull ? 'n' : ' ';
    }
    if (arguments[0].isnull) {
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("argument \"matview\" must not be NULL"),
                        errhint("Name a materialized view.")));
    }
    const Oid matview = DatumGetObjectId(values[0]);
    CheckIsMatview(matview);
    CheckOwner(matview);
    if (arguments[kTimezone].isnull) {
        values[kTimezone] = CStringGetTextDatum(pg_get_timezone_name(session_timezone));
        nulls[kTimezone] = ' ';
    }
    const MemoryContext caller = CurrentMemoryContext;
    Datum name = 0;
    pg::RunKept(&store, OwnerOfTables(), values, nulls, false, [&] {
        bool isnull;
        const Datum result = FirstColumn(&isnull);
        const MemoryContext spi = MemoryContextSwitchTo(caller);
        name = PointerGetDatum(DatumGetTextPCopy(result));
        MemoryContextSwitchTo(spi);
    });
    return name;
}

bool Unschedule(Oid matview) {
    static pg::KeptStatement forget = {"SELECT freshcrm.forget_schedule($1)", 1, {OIDOID}, nullptr};
    if (FindRegistered(matview) == nullptr) {
        return false;
    }
    // Of a view that is gone nobody is the owner.
    if (get_rel_relkind(matview) != '\0') {
        CheckOwner(matview);
    }
    bool found = false;
    Datum value = ObjectIdGetDatum(matview);
    pg::RunKept(&forget, OwnerOfTables(), &value, nullptr, false, [&] {
        bool isnull;
        found = DatumGetBool(FirstColumn(&isnull));
    });
    return found;
}

bool UnscheduleJob(text* name) {
    static pg::KeptStatement find = {
        "SELECT matview::oid FROM freshcrm.matview WHERE job_name = $1", 1, {TEXTOID}, nullptr};
    Oid matview = InvalidOid;
    Datum value = PointerGetDatum(name);
    pg::RunKept(&find, OwnerOfTables(), &value, nullptr, true, [&] {
        bool isnull;
        if (SPI_processed > 0) {
            matview = DatumGetObjectId(FirstColumn(&isnull));
        }
    });
    if (!OidIsValid(matview)) {
        matview = VisibleView(name);
    }
    return OidIsValid(matview) && Unschedule(matview);
}

}  // namespace freshcrm::refresh
