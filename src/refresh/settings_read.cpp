#include "refresh/settings_read.hpp"

#include "pg/named_call.hpp"

extern "C" {
#include "catalog/pg_proc.h"
#include "utils/fmgroids.h"
}

#include <algorithm>
#include <iterator>
#include <span>

namespace freshcrm::refresh {

namespace {

constexpr const char* kSettingNames[kSettings] = {
    "TimeZone",
    "timezone_abbreviations",
    "DateStyle",
    "IntervalStyle",
    "extra_float_digits",
    "bytea_output",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "default_text_search_config",
    "xmlbinary",
    "xmloption",
    "array_nulls",
};

constexpr Oid kTimeFunctions[] = {
    F_NOW,
    F_TRANSACTION_TIMESTAMP,
    F_STATEMENT_TIMESTAMP,
    F_CLOCK_TIMESTAMP,
    F_TIMEOFDAY,
    F_AGE_TIMESTAMP,
    F_AGE_TIMESTAMPTZ,
    // Whether summer time holds in a zone today.
    F_TIMETZ_TIME,
    F_TIMEZONE_TEXT_TIMETZ,
};

constexpr Oid kWritesJson[] = {
    F_TO_JSON,
    F_TO_JSONB,
    F_ROW_TO_JSON_RECORD,
    F_ROW_TO_JSON_RECORD_BOOL,
    F_ARRAY_TO_JSON_ANYARRAY,
    F_ARRAY_TO_JSON_ANYARRAY_BOOL,
    F_JSON_AGG,
    F_JSONB_AGG,
    F_JSON_OBJECT_AGG,
    F_JSONB_OBJECT_AGG,
    F_JSON_BUILD_ARRAY_,
    F_JSON_BUILD_ARRAY_ANY,
    F_JSON_BUILD_OBJECT_,
    F_JSON_BUILD_OBJECT_ANY,
    F_JSONB_BUILD_ARRAY_,
    F_JSONB_BUILD_ARRAY_ANY,
    F_JSONB_BUILD_OBJECT_,
    F_JSONB_BUILD_OBJECT_ANY,
};

constexpr Oid kReadsText[] = {
    F_JSON_POPULATE_RECORD,  F_JSON_POPULATE_RECORDSET,  F_JSON_TO_RECORD,  F_JSON_TO_RECORDSET,
    F_JSONB_POPULATE_RECORD, F_JSONB_POPULATE_RECORDSET, F_JSONB_TO_RECORD, F_JSONB_TO_RECORDSET,
};

constexpr Oid kReadsEnum[] = {F_ENUM_FIRST, F_ENUM_LAST, F_ENUM_RANGE_ANYENUM,
                              F_ENUM_RANGE_ANYENUM_ANYENUM};

// Between what has a time zone and what has none, and hours in days.
constexpr Oid kByTimeZone[] = {
    F_DATE_TIMESTAMPTZ,
    F_TIME_TIMESTAMPTZ,
    F_TIMETZ_TIMESTAMPTZ,
    F_TIMESTAMP_TIMESTAMPTZ,
    F_TIMESTAMPTZ_DATE,
    F_TIMESTAMPTZ_DATE_TIME,
    F_TIMESTAMPTZ_TIMESTAMP,
    F_DATE_PART_TEXT_TIMESTAMPTZ,
    F_EXTRACT_TEXT_TIMESTAMPTZ,
    F_DATE_TRUNC_TEXT_TIMESTAMPTZ,
    F_TIMESTAMPTZ_PL_INTERVAL,
    F_INTERVAL_PL_TIMESTAMPTZ,
    F_TIMESTAMPTZ_MI_INTERVAL,
    F_IN_RANGE_TIMESTAMPTZ_TIMESTAMPTZ_INTERVAL_BOOL_BOOL,
    F_GENERATE_SERIES_TIMESTAMPTZ_TIMESTAMPTZ_INTERVAL,
    F_MAKE_TIMESTAMPTZ_INT4_INT4_INT4_INT4_INT4_FLOAT8,
    F_OVERLAPS_TIMESTAMPTZ_INTERVAL_TIMESTAMPTZ_INTERVAL,
    F_OVERLAPS_TIMESTAMPTZ_TIMESTAMPTZ_TIMESTAMPTZ_INTERVAL,
    F_OVERLAPS_TIMESTAMPTZ_INTERVAL_TIMESTAMPTZ_TIMESTAMPTZ,
    F_DATE_LT_TIMESTAMPTZ,
    F_DATE_LE_TIMESTAMPTZ,
    F_DATE_EQ_TIMESTAMPTZ,
    F_DATE_GT_TIMESTAMPTZ,
    F_DATE_GE_TIMESTAMPTZ,
    F_DATE_NE_TIMESTAMPTZ,
    F_DATE_CMP_TIMESTAMPTZ,
    F_TIMESTAMPTZ_LT_DATE,
    F_TIMESTAMPTZ_LE_DATE,
    F_TIMESTAMPTZ_EQ_DATE,
    F_TIMESTAMPTZ_GT_DATE,
    F_TIMESTAMPTZ_GE_DATE,
    F_TIMESTAMPTZ_NE_DATE,
    F_TIMESTAMPTZ_CMP_DATE,
    F_TIMESTAMP_LT_TIMESTAMPTZ,
    F_TIMESTAMP_LE_TIMESTAMPTZ,
    F_TIMESTAMP_EQ_TIMESTAMPTZ,
    F_TIMESTAMP_GT_TIMESTAMPTZ,
    F_TIMESTAMP_GE_TIMESTAMPTZ,
    F_TIMESTAMP_NE_TIMESTAMPTZ,
    F_TIMESTAMP_CMP_TIMESTAMPTZ,
    F_TIMESTAMPTZ_LT_TIMESTAMP,
    F_TIMESTAMPTZ_LE_TIMESTAMP,
    F_TIMESTAMPTZ_EQ_TIMESTAMP,
    F_TIMESTAMPTZ_GT_TIMESTAMP,
    F_TIMESTAMPTZ_GE_TIMESTAMP,
    F_TIMESTAMPTZ_NE_TIMESTAMP,
    F_TIMESTAMPTZ_CMP_TIMESTAMP,
    F_JSONB_PATH_EXISTS_TZ,
    F_JSONB_PATH_MATCH_TZ,
    F_JSONB_PATH_QUERY_TZ,
    F_JSONB_PATH_QUERY_ARRAY_TZ,
    F_JSONB_PATH_QUERY_FIRST_TZ,
};

// The zone is named, perhaps by an abbreviation; some of these call themselves immutable.
constexpr Oid kByZoneName[] = {
    F_TIMEZONE_TEXT_TIMESTAMP,
    F_TIMEZONE_TEXT_TIMESTAMPTZ,
    F_DATE_TRUNC_TEXT_TIMESTAMPTZ_TEXT,
    F_MAKE_TIMESTAMPTZ_INT4_INT4_INT4_INT4_INT4_FLOAT8_TEXT,
};

constexpr Oid kFormatsZone[] = {F_TO_CHAR_TIMESTAMPTZ_TEXT, F_TO_TIMESTAMP_TEXT_TEXT};
constexpr Oid kFormatsTime[] = {F_TO_CHAR_TIMESTAMP_TEXT, F_TO_CHAR_INTERVAL_TEXT, F_TO_DATE};
constexpr Oid kFormatsNumber[] = {F_TO_CHAR_NUMERIC_TEXT, F_TO_CHAR_INT4_TEXT,
                                  F_TO_CHAR_INT8_TEXT,    F_TO_CHAR_FLOAT4_TEXT,
                                  F_TO_CHAR_FLOAT8_TEXT,  F_TO_NUMBER};

constexpr Oid kByMoney[] = {F_CASH_IN,    F_CASH_OUT,      F_MONEY_INT4,
                            F_MONEY_INT8, F_MONEY_NUMERIC, F_NUMERIC_MONEY};

constexpr Oid kByTextSearch[] = {
    F_GET_CURRENT_TS_CONFIG,
    F_TO_TSVECTOR_TEXT,
    F_TO_TSVECTOR_JSON,
    F_TO_TSVECTOR_JSONB,
    F_JSON_TO_TSVECTOR_JSON_JSONB,
    F_JSONB_TO_TSVECTOR_JSONB_JSONB,
    F_TO_TSQUERY_TEXT,
    F_PLAINTO_TSQUERY_TEXT,
    F_PHRASETO_TSQUERY_TEXT,
    F_WEBSEARCH_TO_TSQUERY_TEXT,
    F_TS_HEADLINE_TEXT_TSQUERY,
    F_TS_HEADLINE_TEXT_TSQUERY_TEXT,
    F_TS_HEADLINE_JSON_TSQUERY,
    F_TS_HEADLINE_JSON_TSQUERY_TEXT,
    F_TS_HEADLINE_JSONB_TSQUERY,
    F_TS_HEADLINE_JSONB_TSQUERY_TEXT,
};

constexpr Oid kByXmlOption[] = {F_XML, F_XML_IN, F_XML_IS_WELL_FORMED};

// Stable for the sake of conversions that could be made between encodings.
constexpr Oid kByNothing[] = {F_CONVERT, F_CONVERT_FROM, F_CONVERT_TO, F_LENGTH_BYTEA_NAME,
                              F_GETDATABASEENCODING};

// Immutable as the server has it, but for these settings.
constexpr Oid kWritesFloat[] = {F_FLOAT4OUT, F_FLOAT8OUT};
constexpr Oid kWritesBytea[] = {F_BYTEAOUT};

struct Group {
    std::span<const Oid> functions;
    Reads reads;
    uint32 settings;
};

constexpr Group kGroups[] = {
    {kTimeFunctions, Reads::kTime, 0},
    {pg::kWritesText, Reads::kWritesText, 0},
    {kWritesJson, Reads::kWritesJson, 0},
    {kReadsText, Reads::kReadsText, 0},
    {kReadsEnum, Reads::kEnum, 0},
    {kByTimeZone, Reads::kSettings, kTimeZone},
    {kByZoneName, Reads::kSettings, kZoneAbbreviations},
    {kFormatsZone, Reads::kSettings, kTimeZone | kLcTime},
    {kFormatsTime, Reads::kSettings, kLcTime},
    {kFormatsNumber, Reads::kSettings, kLcNumeric | kLcMonetary},
    {kByMoney, Reads::kSettings, kLcMonetary},
    {kByTextSearch, Reads::kSettings, kTextSearch},
    {kByXmlOption, Reads::kSettings, kXmlOption},
    {kByNothing, Reads::kSettings, 0},
    {kWritesFloat, Reads::kSettings, kExtraFloatDigits},
    {kWritesBytea, Reads::kSettings, kByteaOutput},
};

}  // namespace

const char* SettingName(int i) {
    return kSettingNames[i];
}

Reads ReadsOf(Oid function, uint32* settings) {
    *settings = 0;
    for (const Group& group : kGroups) {
        if (std::find(group.functions.begin(), group.functions.end(), function) !=
            group.functions.end()) {
            *settings = group.settings;
            return group.reads;
        }
    }
    return func_volatile(function) == PROVOLATILE_IMMUTABLE ? Reads::kSettings : Reads::kUnknown;
}

}  // namespace freshcrm::refresh
