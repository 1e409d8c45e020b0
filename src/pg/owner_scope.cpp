#include "pg/owner_scope.hpp"

extern "C" {
#include "access/gin.h"
#include "catalog/namespace.h"
#include "jit/jit.h"
#include "parser/parse_expr.h"
#include "parser/parser.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/rls.h"
#include "utils/xml.h"
}

#include <cstring>

namespace freshcrm::pg {

namespace {

constexpr const char* kSearchPath = "pg_catalog, pg_temp";

void Set(const char* name, const char* value) {
    (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                            false);
}

// Setting it costs some microseconds and makes the namespace cache start anew; a nested scope need
// not.
void PinSearchPath() {
    if (namespace_search_path == nullptr || std::strcmp(namespace_search_path, kSearchPath) != 0) {
        Set("search_path", kSearchPath);
    }
}

// How SQL text is read and values are written in it: an expression that was written as SQL under
// other settings must mean the same when it is read.
void PinSyntax() {
    if (!standard_conforming_strings) {
        Set("standard_conforming_strings", "on");
    }
    if (DateStyle != USE_ISO_DATES || DateOrder != DATEORDER_MDY) {
        Set("datestyle", "ISO, MDY");
    }
    if (IntervalStyle != INTSTYLE_POSTGRES) {
        Set("intervalstyle", "postgres");
    }
    if (!Array_nulls) {
        Set("array_nulls", "on");
    }
    if (Transform_null_equals) {
        Set("transform_null_equals", "off");
    }
}

// What functions depend on that call themselves immutable: the text forms of floating point
// numbers, bytea, xml and names.
void PinFormats() {
    if (extra_float_digits != 1) {
        Set("extra_float_digits", "1");
    }
    if (bytea_output != BYTEA_OUTPUT_HEX) {
        Set("bytea_output", "hex");
    }
    if (xmlbinary != XMLBINARY_BASE64) {
        Set("xmlbinary", "base64");
    }
    if (quote_all_identifiers) {
        Set("quote_all_identifiers", "off");
    }
}

// What leaves rows out. pg_dump switches row_security off for a restore.
void PinRows() {
    if (!row_security) {
        Set("row_security", "on");
    }
    if (GinFuzzySearchLimit != 0) {
        Set("gin_fuzzy_search_limit", "0");
    }
}

// A plan for any key is estimated for many rows, and compiling it would take longer than it runs.
void PinPlanning() {
    if (jit_enabled) {
        Set("jit", "off");
    }
}

}  // namespace

OwnerScope BeginPinnedSearchPath() {
    OwnerScope scope{};
    GetUserIdAndSecContext(&scope.user, &scope.security_context);
    scope.guc_nest_level = NewGUCNestLevel();
    PinSearchPath();
    PinSyntax();
    PinFormats();
    PinRows();
    PinPlanning();
    return scope;
}

OwnerScope BeginAsOwner(Oid owner) {
    const OwnerScope scope = BeginPinnedSearchPath();
    SetUserIdAndSecContext(owner, scope.security_context | SECURITY_RESTRICTED_OPERATION);
    return scope;
}

void EndAsOwner(const OwnerScope& scope) {
    AtEOXact_GUC(false, scope.guc_nest_level);
    SetUserIdAndSecContext(scope.user, scope.security_context);
}

}  // namespace freshcrm::pg
