// The SQL functions of projections.
#include "pg/entry.hpp"
#include "pg/names.hpp"
#include "projection/build.hpp"
#include "projection/capture.hpp"
#include "projection/definition.hpp"
#include "projection/maintain.hpp"
#include "projection/recompute.hpp"
#include "projection/verify.hpp"

extern "C" {
#include "commands/event_trigger.h"
#include "funcapi.h"
#include "utils/array.h"
}

using namespace freshcrm::projection;

namespace {

// create_projection() takes NULL for its target alone.
void RequireArgument(FunctionCallInfo fcinfo, int argument, const char* name) {
    if (PG_ARGISNULL(argument)) {
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("argument \"%s\" must not be NULL", name),
                        errhint("Leave the argument out to get its default, where it has one.")));
    }
}

const char* KeyArgument(ArrayType* array) {
    Datum* names;
    bool* nulls;
    int count;
    deconstruct_array(array, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &names, &nulls, &count);
    if (count != 1 || nulls[0]) {
        ereport(
            ERROR,
            (errcode(count > 1 ? ERRCODE_FEATURE_NOT_SUPPORTED : ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("the key must be one column"),
             count == 1 ? errdetail("NULL was given.") : errdetail("%d columns were given.", count),
             errhint("Name one column that is different in each row of the view.")));
    }
    return NameStr(*DatumGetName(names[0]));
}

Projection* OpenByTarget(Oid target) {
    const Definition* definition = FindDefinitionOf(target);
    if (definition == nullptr) {
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_OBJECT),
                 errmsg("table %s is not a projection", freshcrm::pg::RelationForMessage(target)),
                 errhint("The view freshcrm.projections lists them.")));
    }
    return OpenProjection(definition->id);
}

}  // namespace

FRESHCRM_FUNCTION(freshcrm_capture) {
    if (!CALLED_AS_TRIGGER(fcinfo)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.capture() was not called by a trigger")));
    }
    Capture(reinterpret_cast<TriggerData*>(fcinfo->context));
    PG_RETURN_POINTER(nullptr);
}

FRESHCRM_FUNCTION(freshcrm_create_projection) {
    static constexpr const char* kNames[] = {"source", "key",      "target",
                                             "mode",   "on_error", "options"};
    for (int i = 0; i < PG_NARGS(); ++i) {
        if (i != 2) {
            RequireArgument(fcinfo, i, kNames[i]);
        }
    }
    const Request request{
        PG_GETARG_OID(0),
        KeyArgument(PG_GETARG_ARRAYTYPE_P(1)),
        PG_ARGISNULL(2) ? nullptr : NameStr(*PG_GETARG_NAME(2)),
        text_to_cstring(PG_GETARG_TEXT_PP(3)),
        text_to_cstring(PG_GETARG_TEXT_PP(4)),
        PointerGetDatum(PG_DETOAST_DATUM(PG_GETARG_DATUM(5))),
    };
    PG_RETURN_OID(CreateProjection(request));
}

FRESHCRM_FUNCTION(freshcrm_drop_projection) {
    DropProjection(PG_GETARG_OID(0), PG_GETARG_BOOL(1));
    PG_RETURN_VOID();
}

FRESHCRM_FUNCTION(freshcrm_recompute) {
    InitMaterializedSRF(fcinfo, 0);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    Projection* projection = OpenByTarget(PG_GETARG_OID(0));
    ArrayType* array = PG_GETARG_ARRAYTYPE_P(1);
    const Oid key_type = projection->lineage->key_type;
    if (ARR_ELEMTYPE(array) != key_type) {
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("the keys of projection %s are of type %s", projection->name,
                               format_type_be(key_type)),
                        errdetail("The array has elements of type %s.",
                                  format_type_be(ARR_ELEMTYPE(array))),
                        errhint("Cast the array to %s[].", format_type_be(key_type))));
    }
    Datum* keys;
    bool* nulls;
    int count;
    deconstruct_array(array, key_type, projection->key_length, projection->key_by_value,
                      projection->key_align, &keys, &nulls, &count);
    KeySet set = MakeKeySet(CurrentMemoryContext, key_type, projection->lineage->key_collation);
    for (int i = 0; i < count; ++i) {
        if (!nulls[i]) {
            Add(&set, keys[i]);
        }
    }
    SortUnique(&set);
    Counts counts{};
    Maintain(projection, [&] { counts = RecomputeKeys(projection, &set); });

    Datum values[] = {Int64GetDatum(counts.inserted), Int64GetDatum(counts.updated),
                      Int64GetDatum(counts.deleted), Int64GetDatum(counts.unchanged)};
    bool value_nulls[lengthof(values)] = {};
    tuplestore_putvalues(result->setResult, result->setDesc, values, value_nulls);
    PG_RETURN_NULL();
}

FRESHCRM_FUNCTION(freshcrm_verify_projection) {
    InitMaterializedSRF(fcinfo, 0);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    Projection* projection = OpenByTarget(PG_GETARG_OID(0));
    Maintain(projection, [&] { VerifyProjection(projection, PG_GETARG_BOOL(1), result); });
    PG_RETURN_NULL();
}

FRESHCRM_FUNCTION(freshcrm_forget_dropped) {
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.forget_dropped() was not called by an event trigger")));
    }
    ForgetDropped();
    PG_RETURN_NULL();
}
