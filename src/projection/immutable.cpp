#include "projection/immutable.hpp"

#include "core/format_codes.hpp"
#include "pg/named_call.hpp"
#include "pg/relabel.hpp"
#include "pg/tree_walker.hpp"

extern "C" {
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/regproc.h"
#include "utils/typcache.h"
}

#include <algorithm>
#include <iterator>

namespace freshcrm::projection {

namespace {

bool IsMutable(Oid function, void* found) {
    // An enum's label changes with ALTER TYPE … RENAME VALUE only.
    if (func_volatile(function) == PROVOLATILE_IMMUTABLE || function == F_ENUM_OUT) {
        return false;
    }
    *static_cast<Oid*>(found) = function;
    return true;
}

bool RowOutputIsImmutable(Oid type, bool as_json);

// The text (or JSON) form of the type's values depends on the values alone, given the settings that
// maintenance pins (pg/owner_scope.hpp). JSON has dates and timestamps in ISO 8601, whatever
// DateStyle is.
bool OutputIsImmutable(Oid type, bool as_json) {
    type = getBaseType(type);
    if (const Oid element = get_element_type(type); OidIsValid(element)) {
        return OutputIsImmutable(element, as_json);
    }
    if (type == RECORDOID) {
        return false;
    }
    if (type_is_rowtype(type)) {
        return RowOutputIsImmutable(type, as_json);
    }
    if (as_json && (type == DATEOID || type == TIMESTAMPOID)) {
        return true;
    }
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(type, &output, &is_varlena);
    Oid found;
    return !IsMutable(output, &found);
}

bool RowOutputIsImmutable(Oid type, bool as_json) {
    TupleDesc desc = lookup_rowtype_tupdesc_copy(type, -1);
    for (int i = 0; i < desc->natts; ++i) {
        const auto* column = TupleDescAttr(desc, i);
        if (!column->attisdropped && !OutputIsImmutable(column->atttypid, as_json)) {
            return false;
        }
    }
    return true;
}

// Functions that are stable only because they call the output functions of whatever types they are
// given.
constexpr Oid kWritesJson[] = {
    F_TO_JSON,
    F_TO_JSONB,
    F_ROW_TO_JSON_RECORD,
    F_ARRAY_TO_JSON_ANYARRAY,
    F_JSON_AGG,
    F_JSONB_AGG,
    F_JSON_OBJECT_AGG,
    F_JSONB_OBJECT_AGG,
    F_JSON_BUILD_ARRAY_ANY,
    F_JSON_BUILD_OBJECT_ANY,
    F_JSONB_BUILD_ARRAY_ANY,
    F_JSONB_BUILD_OBJECT_ANY,
};

bool OutputsAreImmutable(const List* arguments, bool as_json) {
    ListCell* cell;
    foreach (cell, arguments) {
        auto* argument = static_cast<Node*>(lfirst(cell));
        if (IsA(argument, TargetEntry)) {
            argument = reinterpret_cast<Node*>(reinterpret_cast<TargetEntry*>(argument)->expr);
        }
        if (exprType(argument) != UNKNOWNOID && !OutputIsImmutable(exprType(argument), as_json)) {
            return false;
        }
    }
    return true;
}

// to_char() is stable for the sake of a few codes of its format.
constexpr Oid kFormatsTime[] = {F_TO_CHAR_TIMESTAMP_TEXT, F_TO_CHAR_INTERVAL_TEXT};
constexpr Oid kFormatsNumber[] = {F_TO_CHAR_NUMERIC_TEXT, F_TO_CHAR_INT4_TEXT, F_TO_CHAR_INT8_TEXT,
                                  F_TO_CHAR_FLOAT4_TEXT, F_TO_CHAR_FLOAT8_TEXT};

// A constant, of which `fixed` says whether it has none of these codes.
bool FormatIsFixed(const List* arguments, bool (*fixed)(std::string_view) noexcept) {
    auto* format = pg::WithoutRelabel(static_cast<Node*>(lsecond(arguments)));
    const auto* constant = reinterpret_cast<Const*>(format);
    return IsA(format, Const) &&
           (constant->constisnull || fixed(TextDatumGetCString(constant->constvalue)));
}

constexpr Oid kReadsZone[] = {F_TO_CHAR_TIMESTAMPTZ_TEXT, F_DATE_TRUNC_TEXT_TIMESTAMPTZ,
                              F_DATE_PART_TEXT_TIMESTAMPTZ, F_EXTRACT_TEXT_TIMESTAMPTZ};

template <typename Functions>
bool IsIn(const Functions& functions, Oid function) {
    return std::find(std::begin(functions), std::end(functions), function) != std::end(functions);
}

bool IsFixedByArguments(Node* node) {
    const pg::NamedCall call = pg::CallOf(node);
    const auto is_in = [&](const auto& functions) { return IsIn(functions, call.function); };
    return (is_in(pg::kWritesText) && OutputsAreImmutable(call.arguments, false)) ||
           (is_in(kWritesJson) && OutputsAreImmutable(call.arguments, true)) ||
           (is_in(kFormatsTime) && FormatIsFixed(call.arguments, core::DateFormatIsFixed)) ||
           (is_in(kFormatsNumber) && FormatIsFixed(call.arguments, core::NumberFormatIsFixed));
}

constexpr const char* kTimeZone = "the setting TimeZone";

bool HasZone(Oid type) {
    return type == TIMESTAMPTZOID || type == TIMETZOID;
}

bool IsTime(Oid type) {
    return HasZone(type) || type == TIMESTAMPOID || type == DATEOID || type == TIMEOID ||
           type == INTERVALOID;
}

// The settings by which a value of one of these types becomes one of the other, or null.
const char* SettingsBetween(Oid from, Oid to) {
    from = getBaseType(from);
    to = getBaseType(to);
    if (IsTime(from) && IsTime(to)) {
        return HasZone(from) || HasZone(to) ? kTimeZone : nullptr;
    }
    const Oid type = IsTime(from) || from == MONEYOID ? from : to;
    switch (type) {
        case TIMESTAMPTZOID:
            return "the settings DateStyle and TimeZone";
        case TIMETZOID:
            return kTimeZone;
        case TIMESTAMPOID:
        case DATEOID:
            return "the setting DateStyle";
        case INTERVALOID:
            return "the setting IntervalStyle";
        case MONEYOID:
            return "the setting lc_monetary";
        default:
            return nullptr;
    }
}

// The same of a function that is called by name.
const char* SettingsOf(Oid function) {
    return IsIn(kReadsZone, function) ? kTimeZone
           : IsIn(kFormatsTime, function)
               ? "the setting lc_time, unless its format is a constant without TM"
           : IsIn(kFormatsNumber, function)
               ? "the settings lc_numeric and lc_monetary, unless its format is a constant without "
                 "D, G, L and S"
               : nullptr;
}

// What calls the function, and the settings that its result depends on, if these are known.
struct Culprit {
    const char* what;
    const char* settings;
};

Culprit CastCulprit(Node* from, Oid to) {
    return {psprintf("the cast from %s to %s", format_type_be(exprType(from)), format_type_be(to)),
            SettingsBetween(exprType(from), to)};
}

Culprit CulpritIn(Node* node, Oid function) {
    if (IsA(node, CoerceViaIO)) {
        const auto* cast = reinterpret_cast<CoerceViaIO*>(node);
        return CastCulprit(reinterpret_cast<Node*>(cast->arg), cast->resulttype);
    }
    if (IsA(node, FuncExpr) &&
        reinterpret_cast<FuncExpr*>(node)->funcformat != COERCE_EXPLICIT_CALL &&
        reinterpret_cast<FuncExpr*>(node)->args != NIL) {
        const auto* cast = reinterpret_cast<FuncExpr*>(node);
        return CastCulprit(static_cast<Node*>(linitial(cast->args)), cast->funcresulttype);
    }
    if (IsA(node, OpExpr) && list_length(reinterpret_cast<OpExpr*>(node)->args) == 2) {
        const auto* op = reinterpret_cast<OpExpr*>(node);
        const Oid left = exprType(static_cast<Node*>(linitial(op->args)));
        const Oid right = exprType(static_cast<Node*>(lsecond(op->args)));
        return {psprintf("the operator %s between %s and %s", get_opname(op->opno),
                         format_type_be(left), format_type_be(right)),
                SettingsBetween(left, right)};
    }
    return {psprintf("the %s function %s",
                     func_volatile(function) == PROVOLATILE_VOLATILE ? "volatile" : "stable",
                     format_procedure(function)),
            SettingsOf(function)};
}

[[noreturn]] void RefuseCulprit(const Culprit& culprit, const char* name) {
    const bool zone = culprit.settings != nullptr && strcmp(culprit.settings, kTimeZone) == 0;
    ereport(
        ERROR,
        (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot trace %s", name),
         culprit.settings == nullptr
             ? errdetail("It calls %s, whose result can change while no row changes.", culprit.what)
             : errdetail("It uses %s, which depends on %s.", culprit.what, culprit.settings),
         zone ? errhint("Name the time zone: value AT TIME ZONE 'UTC'. Or do it where the "
                        "projection is read.")
              : errhint("Use immutable functions only in the view, and apply the others where "
                        "the projection is read.")));
    pg_unreachable();
}

bool CheckBelow(Node* node, void* name) {
    if (node == nullptr || IsA(node, Query)) {
        return false;
    }
    CheckImmutable(node, static_cast<const char*>(name));
    return pg::WalkExpressionTree(node, CheckBelow, name);
}

}  // namespace

void CheckImmutable(Node* node, const char* name) {
    if (IsA(node, NextValueExpr)) {
        RefuseCulprit({"nextval()", nullptr}, name);
    }
    if (IsA(node, SQLValueFunction)) {
        RefuseCulprit({"a function such as CURRENT_DATE", nullptr}, name);
    }
    Oid function = InvalidOid;
    if (check_functions_in_node(node, IsMutable, &function) && !IsFixedByArguments(node)) {
        // now() is what matters of now()::date.
        (void)pg::WalkExpressionTree(node, CheckBelow, const_cast<char*>(name));
        RefuseCulprit(CulpritIn(node, function), name);
    }
}

}  // namespace freshcrm::projection
