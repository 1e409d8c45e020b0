// Values of jsonb objects as SQL values are read from text.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/builtins.h"
#include "utils/jsonb.h"
}

namespace freshcrm::pg {

// Sets `text`, palloc'ed, to what an input function takes for a string, a number or a boolean, and
// to null for JSON's null. Returns false for an object or an array.
inline bool ReadScalar(const JsonbValue& value, char** text) {
    switch (value.type) {
        case jbvNull:
            *text = nullptr;
            return true;
        case jbvString:
            *text = pnstrdup(value.val.string.val, static_cast<Size>(value.val.string.len));
            return true;
        case jbvNumeric:
            *text = DatumGetCString(
                DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));
            return true;
        case jbvBool:
            *text = pstrdup(value.val.boolean ? "true" : "false");
            return true;
        default:
            return false;
    }
}

}  // namespace freshcrm::pg
