// The SQL functions of projections.
#include "pg/entry.hpp"
#include "pg/names.hpp"
#include "projection/alter.hpp"
#include "projection/build.hpp"
#include "projection/capture.hpp"
#include "projection/ddl_start.hpp"
#include "projection/definition.hpp"
#include "projection/drain.hpp"
#include "projection/explain.hpp"
#include "projection/flush.hpp"
#include "projection/follow.hpp"
#include "projection/key_argument.hpp"
#include "projection/maintain.hpp"
#include "projection/own_triggers.hpp"
#include "projection/query_text.hpp"
#include "projection/rebuild.hpp"
#include "projection/restored.hpp"
#include "projection/row_security.hpp"
#include "projection/target_guard.hpp"
#include "projection/trigger_sync.hpp"
#include "projection/verify.hpp"

extern "C" {
#include "commands/event_trigger.h"
#include "funcapi.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
}

using namespace freshcrm::projection;

namespace {

void RequireArgument(FunctionCallInfo fcinfo, int argument, const char* name) {
    if (PG_ARGISNULL(argument)) {
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("argument \"%s\" must not be NULL", name),
                        errhint("Leave the argument out to get its default, where it has one.")));
    }
}

List* KeyArgument(ArrayType* array) {
    List* names = NameList(array);
    if (names == NIL || list_length(names) > INDEX_MAX_KEYS) {
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("the key must be from 1 to %d columns", INDEX_MAX_KEYS),
                 errhint("Name columns that together are different in each row of the view.")));
    }
    return names;
}

KeySet ReadKeys(const Projection* projection, ArrayType* array) {
    const Oid type = ARR_ELEMTYPE(array);
    const bool composite = projection->key_count > 1;
    if (composite ? type != RECORDOID && !type_is_rowtype(type)
                  : type != projection->keys[0].type) {
        RaiseKeyType(projection, type);
    }
    int16 length;
    bool by_value;
    char align;
    get_typlenbyvalalign(type, &length, &by_value, &align);
    Datum* elements;
    bool* nulls;
    int count;
    deconstruct_array(array, type, length, by_value, align, &elements, &nulls, &count);
    KeySet set = MakeProjectionKeys(projection, CurrentMemoryContext);
    auto* key =
        static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(projection->key_count)));
    for (int i = 0; i < count; ++i) {
        key[0] = elements[i];
        if (!nulls[i] && (!composite || ReadCompositeKey(projection, elements[i], key))) {
            Add(&set, key);
        }
    }
    SortUnique(&set);
    return set;
}

// The arguments of create_projection() but for the first, `first`; the third may be NULL.
Request ReadRequest(FunctionCallInfo fcinfo, const char* first) {
    const char* const names[] = {first, "key", "target", "mode", "on_error", "options"};
    for (int i = 0; i < PG_NARGS(); ++i) {
        if (i != 2) {
            RequireArgument(fcinfo, i, names[i]);
        }
    }
    Request request{};
    request.source = PG_GETARG_OID(0);
    request.keys = KeyArgument(PG_GETARG_ARRAYTYPE_P(1));
    request.target = PG_ARGISNULL(2) ? nullptr : NameStr(*PG_GETARG_NAME(2));
    request.mode = text_to_cstring(PG_GETARG_TEXT_PP(3));
    request.on_error = text_to_cstring(PG_GETARG_TEXT_PP(4));
    request.options = PointerGetDatum(PG_DETOAST_DATUM(PG_GETARG_DATUM(5)));
    return request;
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

FRESHCRM_FUNCTION(freshcrm_guard_target) {
    if (!CALLED_AS_TRIGGER(fcinfo)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.guard_target() was not called by a trigger")));
    }
    GuardTarget(reinterpret_cast<TriggerData*>(fcinfo->context));
    PG_RETURN_POINTER(nullptr);
}

FRESHCRM_FUNCTION(freshcrm_follow_load) {
    if (!CALLED_AS_TRIGGER(fcinfo)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.follow_load() was not called by a trigger")));
    }
    const auto* trigger = reinterpret_cast<TriggerData*>(fcinfo->context);
    const int number = SPI_fnumber(RelationGetDescr(trigger->tg_relation), "id");
    bool isnull;
    const Datum id = TRIGGER_FIRED_FOR_ROW(trigger->tg_event) && number > 0
                         ? SPI_getbinval(trigger->tg_trigtuple,
                                         RelationGetDescr(trigger->tg_relation), number, &isnull)
                         : Int32GetDatum(0);
    FollowLoad(DatumGetInt32(id));
    PG_RETURN_POINTER(nullptr);
}

FRESHCRM_FUNCTION(freshcrm_create_projection) {
    PG_RETURN_OID(CreateProjection(ReadRequest(fcinfo, "source")));
}

// An untyped literal that could be a view's name or a query is a text for the server: here, too, it
// may be a name.
FRESHCRM_FUNCTION(freshcrm_create_projection_of_query) {
    Request request = ReadRequest(fcinfo, "query");
    RequireArgument(fcinfo, 2, "target");
    const char* query = text_to_cstring(PG_GETARG_TEXT_PP(0));
    if (IsName(query)) {
        request.source = DatumGetObjectId(DirectFunctionCall1(regclassin, CStringGetDatum(query)));
    } else {
        request.source = CreateSource(query, request.target);
        request.source_made = true;
    }
    PG_RETURN_OID(CreateProjection(request));
}

FRESHCRM_FUNCTION(freshcrm_alter_projection) {
    RequireArgument(fcinfo, 0, "projection");
    Alteration alteration{};
    if (!PG_ARGISNULL(1)) {
        alteration.mode = text_to_cstring(PG_GETARG_TEXT_PP(1));
    }
    if (!PG_ARGISNULL(2)) {
        alteration.on_error = text_to_cstring(PG_GETARG_TEXT_PP(2));
    }
    if (!PG_ARGISNULL(3)) {
        alteration.options = PointerGetDatum(PG_DETOAST_DATUM(PG_GETARG_DATUM(3)));
    }
    AlterProjection(PG_GETARG_OID(0), alteration);
    PG_RETURN_VOID();
}

FRESHCRM_FUNCTION(freshcrm_flush) {
    FlushDeferred();
    PG_RETURN_VOID();
}

FRESHCRM_FUNCTION(freshcrm_drop_projection) {
    DropProjection(PG_GETARG_OID(0), PG_GETARG_BOOL(1));
    PG_RETURN_VOID();
}

FRESHCRM_FUNCTION(freshcrm_recompute) {
    InitMaterializedSRF(fcinfo, 0);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    Projection* projection = OpenOwned(PG_GETARG_OID(0));
    KeySet keys = ReadKeys(projection, PG_GETARG_ARRAYTYPE_P(1));
    Counts counts{};
    Maintain(projection, [&] { counts = RecomputeKeys(projection, &keys); });

    Datum values[] = {Int64GetDatum(counts.inserted), Int64GetDatum(counts.updated),
                      Int64GetDatum(counts.deleted), Int64GetDatum(counts.unchanged)};
    bool value_nulls[lengthof(values)] = {};
    tuplestore_putvalues(result->setResult, result->setDesc, values, value_nulls);
    PG_RETURN_NULL();
}

FRESHCRM_FUNCTION(freshcrm_verify_projection) {
    InitMaterializedSRF(fcinfo, 0);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    Projection* projection = OpenOwned(PG_GETARG_OID(0));
    const bool repair = PG_GETARG_BOOL(1);
    if (repair) {
        RepairTriggers(projection);
        DrainOrForget(projection);
    }
    Maintain(projection, [&] { VerifyProjection(projection, repair, result); });
    if (repair) {
        SetProblem(projection->id, nullptr);
    }
    PG_RETURN_NULL();
}

FRESHCRM_FUNCTION(freshcrm_rebuild_projection) {
    RequireArgument(fcinfo, 0, "projection");
    RequireArgument(fcinfo, 1, "batch_size");
    const int batch = PG_GETARG_INT32(1);
    if (batch < 1) {
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("batch_size must be at least 1, not %d", batch),
                        errhint("It is how many keys are recomputed in one transaction.")));
    }
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) {
        elog(ERROR, "rebuild_projection has no columns to return");
    }
    const bool atomic = fcinfo->context == nullptr || !IsA(fcinfo->context, CallContext) ||
                        castNode(CallContext, fcinfo->context)->atomic;
    SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC);
    const Counts counts = RebuildProjection(PG_GETARG_OID(0), batch, atomic);
    SPI_finish();
    Datum values[] = {Int64GetDatum(counts.inserted), Int64GetDatum(counts.updated),
                      Int64GetDatum(counts.deleted)};
    bool value_nulls[lengthof(values)] = {};
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, value_nulls)));
}

FRESHCRM_FUNCTION(freshcrm_explain_projection) {
    InitMaterializedSRF(fcinfo, 0);
    const Projection* projection = OpenOwned(PG_GETARG_OID(0));
    const freshcrm::pg::OwnerScope scope = freshcrm::pg::BeginAsOwner(projection->owner);
    ExplainLineage(projection->lineage, reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo));
    freshcrm::pg::EndAsOwner(scope);
    PG_RETURN_NULL();
}

FRESHCRM_FUNCTION(freshcrm_explain_view) {
    InitMaterializedSRF(fcinfo, 0);
    ExplainView(PG_GETARG_OID(0), KeyArgument(PG_GETARG_ARRAYTYPE_P(1)),
                PointerGetDatum(PG_DETOAST_DATUM(PG_GETARG_DATUM(2))),
                reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo));
    PG_RETURN_NULL();
}

FRESHCRM_FUNCTION(freshcrm_explain_row_security) {
    InitMaterializedSRF(fcinfo, 0);
    const Projection* projection = OpenOwned(PG_GETARG_OID(0));
    const freshcrm::pg::OwnerScope scope = freshcrm::pg::BeginAsOwner(projection->owner);
    ExplainRowSecurity(projection, reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo));
    freshcrm::pg::EndAsOwner(scope);
    PG_RETURN_NULL();
}

FRESHCRM_FUNCTION(freshcrm_forget_dropped) {
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.forget_dropped() was not called by an event trigger")));
    }
    ForgetDropped();
    // DETACH PARTITION drops triggers of the partition; the whole of ALTER TABLE is followed at its
    // end.
    if (reinterpret_cast<EventTriggerData*>(fcinfo->context)->tag != CMDTAG_ALTER_TABLE) {
        FollowDrops();
    }
    PG_RETURN_NULL();
}

FRESHCRM_FUNCTION(freshcrm_refuse_ddl) {
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.refuse_ddl() was not called by an event trigger")));
    }
    RefuseConcurrent(reinterpret_cast<EventTriggerData*>(fcinfo->context)->parsetree);
    PG_RETURN_NULL();
}

FRESHCRM_FUNCTION(freshcrm_follow_ddl) {
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo)) {
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("freshcrm.follow_ddl() was not called by an event trigger")));
    }
    const auto* trigger = reinterpret_cast<EventTriggerData*>(fcinfo->context);
    if (!IsOwnTrigger(trigger->parsetree)) {
        FollowCommands(trigger->parsetree);
    }
    PG_RETURN_NULL();
}
