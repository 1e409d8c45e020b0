#include "refresh/text_forms.hpp"

#include "refresh/settings_read.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_proc.h"
#include "parser/parse_coerce.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
}

#include <initializer_list>

namespace freshcrm::refresh {

namespace {

bool IsOwnOfServer(Oid object) {
    return object < FirstNormalObjectId;
}

void NoteOwnFunction(Oid function, Outside* found) {
    uint32 settings;
    switch (ReadsOf(function, &settings)) {
        case Reads::kSettings:
            found->settings |= settings;
            break;
        case Reads::kTime:
            NoteReason(found,
                       psprintf("it depends on the time: it calls %s", format_procedure(function)),
                       kComputeElsewhere);
            break;
        default:
            NoteReason(
                found,
                psprintf("it calls the %s function %s",
                         func_volatile(function) == PROVOLATILE_VOLATILE ? "volatile" : "stable",
                         format_procedure(function)),
                kComputeElsewhere);
    }
}

// What an aggregate of a user is made of. CREATE AGGREGATE calls every aggregate immutable.
void NoteAggregate(Oid function, Outside* found) {
    HeapTuple tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple)) {
        return;
    }
    const auto form = *reinterpret_cast<Form_pg_aggregate>(GETSTRUCT(tuple));
    bool no_initial;
    (void)SysCacheGetAttr(AGGFNOID, tuple, Anum_pg_aggregate_agginitval, &no_initial);
    ReleaseSysCache(tuple);
    for (const Oid part :
         {form.aggtransfn, form.aggfinalfn, form.aggcombinefn, form.aggserialfn, form.aggdeserialfn,
          form.aggmtransfn, form.aggminvtransfn, form.aggmfinalfn}) {
        if (OidIsValid(part)) {
            NoteFunction(part, found);
        }
    }
    if (!no_initial && form.aggtranstype != INTERNALOID) {
        NoteInput(form.aggtranstype, found);
    }
}

template <typename Note>
void NoteColumns(Oid type, Note note) {
    TupleDesc desc = lookup_rowtype_tupdesc_copy(type, -1);
    for (int i = 0; i < desc->natts; ++i) {
        const auto* column = TupleDescAttr(desc, i);
        if (!column->attisdropped) {
            note(column->atttypid);
        }
    }
}

// The types that a value of the type is composed of are noted, if it is; `unknown` is for records.
template <typename Note, typename Unknown>
bool NoteParts(Oid type, Note note, Unknown unknown) {
    check_stack_depth();
    if (const Oid element = get_element_type(type); OidIsValid(element)) {
        note(element);
    } else if (type == RECORDOID || type == RECORDARRAYOID) {
        unknown();
    } else if (type_is_rowtype(type)) {
        NoteColumns(type, note);
    } else if (type_is_range(type)) {
        note(get_range_subtype(type));
    } else if (type_is_multirange(type)) {
        note(get_multirange_range(type));
    } else {
        return false;
    }
    return true;
}

// to_json() and its kin write a value by its type's cast to json, if a user made one.
bool NoteJsonCast(Oid type, Outside* found) {
    Oid cast = InvalidOid;
    if (IsOwnOfServer(type) ||
        find_coercion_pathway(JSONOID, type, COERCION_EXPLICIT, &cast) != COERCION_PATH_FUNC) {
        return false;
    }
    NoteFunction(cast, found);
    return true;
}

uint32 OutputSettings(Oid type, bool as_json) {
    switch (type) {
        case DATEOID:
        case TIMESTAMPOID:
        case TIMETZOID:
            return as_json ? 0 : kDateStyle;
        case TIMESTAMPTZOID:
            return as_json ? kTimeZone : kTimeZone | kDateStyle;
        case INTERVALOID:
            return kIntervalStyle;
        case POINTOID:
        case LSEGOID:
        case PATHOID:
        case BOXOID:
        case POLYGONOID:
        case LINEOID:
        case CIRCLEOID:
            return kExtraFloatDigits;
        default:
            return 0;
    }
}

bool MeansToday(Oid type) {
    return type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID || type == TIMEOID ||
           type == TIMETZOID;
}

}  // namespace

void NoteFunction(Oid function, Outside* found) {
    if (IsOwnOfServer(function)) {
        return NoteOwnFunction(function, found);
    }
    if (list_member_oid(found->functions, function)) {
        return;
    }
    found->functions = lappend_oid(found->functions, function);
    switch (func_volatile(function)) {
        case PROVOLATILE_VOLATILE:
            return NoteReason(
                found, psprintf("it calls the volatile function %s", format_procedure(function)),
                "If its result depends on its arguments alone, declare it IMMUTABLE.");
        case PROVOLATILE_STABLE:
            return NoteReason(found,
                              psprintf("it calls the stable function %s, which may read anything",
                                       format_procedure(function)),
                              "If its result depends on its arguments alone, declare it IMMUTABLE; "
                              "if it reads tables, write its query into the materialized view.");
        default:
            NoteAggregate(function, found);
    }
}

void NoteEnum(Oid type, Outside* found) {
    found->enums = list_append_unique_oid(found->enums, type);
}

void NoteOutput(Oid type, bool as_json, Outside* found) {
    type = getBaseType(type);
    if (type == UNKNOWNOID || (as_json && NoteJsonCast(type, found))) {
        return;
    }
    if (type_is_enum(type)) {
        return NoteEnum(type, found);
    }
    const auto note = [&](Oid part) { NoteOutput(part, as_json, found); };
    const auto unknown = [&] {
        NoteReason(found, "it writes rows of columns that are not known as text or JSON",
                   "Give the rows a type, or write their columns one by one.");
    };
    if (NoteParts(type, note, unknown)) {
        return;
    }
    found->settings |= OutputSettings(type, as_json);
    if (MeansToday(type) || type == INTERVALOID) {
        return;
    }
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(type, &output, &is_varlena);
    NoteFunction(output, found);
}

void NoteInput(Oid type, Outside* found) {
    type = getBaseType(type);
    if (MeansToday(type)) {
        return NoteReason(
            found,
            psprintf(R"(it reads text as %s, which "now" and "today" are, too)",
                     format_type_be(type)),
            "Use to_date() or to_timestamp() with a format, or an IMMUTABLE function of your own.");
    }
    if (type_is_enum(type)) {
        return NoteEnum(type, found);
    }
    if (OidIsValid(get_element_type(type))) {
        found->settings |= kArrayNulls;
    }
    const auto note = [&](Oid part) { NoteInput(part, found); };
    const auto unknown = [&] {
        NoteReason(found, "it reads text as a row of columns that are not known",
                   "Give the row a type.");
    };
    if (NoteParts(type, note, unknown)) {
        return;
    }
    if (type == INTERVALOID) {
        found->settings |= kIntervalStyle;
        return;
    }
    Oid input;
    Oid parameter;
    getTypeInputInfo(type, &input, &parameter);
    NoteFunction(input, found);
}

}  // namespace freshcrm::refresh
