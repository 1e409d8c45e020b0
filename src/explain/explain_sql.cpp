// SQL: freshcrm.explain_rpc(function, VARIADIC "any"), explain_rpc_with(function, arguments,
// options).
#include "explain/explain.hpp"
#include "pg/entry.hpp"

extern "C" {
#include "funcapi.h"
#include "utils/array.h"
#include "utils/tuplestore.h"
}

using namespace freshcrm::explain;

namespace {

Argument* NewArguments(int count) {
    return static_cast<Argument*>(palloc0(sizeof(Argument) * static_cast<Size>(Max(count, 1))));
}

const char* FunctionArgument(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(0)) {
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("argument \"%s\" must not be NULL", "function")));
    }
    return text_to_cstring(PG_GETARG_TEXT_PP(0));
}

// The arguments after the name, each of the type it has, and literals without one.
Argument* GivenArguments(FunctionCallInfo fcinfo, int* count) {
    *count = PG_NARGS() - 1;
    Argument* arguments = NewArguments(*count);
    for (int i = 0; i < *count; ++i) {
        const NullableDatum& given = fcinfo->args[i + 1];
        const Oid type = get_fn_expr_argtype(fcinfo->flinfo, i + 1);
        if (!OidIsValid(type)) {
            ereport(ERROR, (errcode(ERRCODE_INDETERMINATE_DATATYPE),
                            errmsg("could not determine the data type of argument %d", i + 1),
                            errhint("Cast it.")));
        }
        arguments[i].type = type;
        arguments[i].isnull = given.isnull;
        arguments[i].value = given.value;
        if (type == UNKNOWNOID && !given.isnull) {
            arguments[i].text = DatumGetCString(given.value);
        }
    }
    return arguments;
}

// Those of VARIADIC and an array. Elements of a text array are read as what the function takes.
Argument* ArrayArguments(FunctionCallInfo fcinfo, int* count) {
    *count = 0;
    if (PG_ARGISNULL(1)) {
        return NewArguments(0);
    }
    ArrayType* array = PG_GETARG_ARRAYTYPE_P(1);
    const Oid type = ARR_ELEMTYPE(array);
    int16 length;
    bool by_value;
    char align;
    get_typlenbyvalalign(type, &length, &by_value, &align);
    Datum* values;
    bool* nulls;
    deconstruct_array(array, type, length, by_value, align, &values, &nulls, count);
    Argument* arguments = NewArguments(*count);
    for (int i = 0; i < *count; ++i) {
        const bool literal = type == TEXTOID;
        arguments[i].type = literal ? UNKNOWNOID : type;
        arguments[i].isnull = nulls[i];
        arguments[i].value = values[i];
        arguments[i].text = literal && !nulls[i] ? TextDatumGetCString(values[i]) : nullptr;
    }
    return arguments;
}

// The members of an object are named arguments, those of an array positional ones.
Argument* JsonArguments(Jsonb* json, int* count) {
    if (JB_ROOT_IS_SCALAR(json)) {
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("arguments must be a JSON object or array"),
                        errhint("Write, for instance, {\"p_user_id\": \"…\"}, or [\"…\", null] for "
                                "arguments by position.")));
    }
    Argument* arguments = NewArguments(static_cast<int>(JB_ROOT_COUNT(json)));
    *count = 0;
    JsonbIterator* iterator = JsonbIteratorInit(&json->root);
    JsonbValue value;
    const char* name = nullptr;
    for (JsonbIteratorToken token;
         (token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE;) {
        if (token == WJB_KEY) {
            name = pnstrdup(value.val.string.val, static_cast<Size>(value.val.string.len));
        } else if (token == WJB_VALUE || token == WJB_ELEM) {
            Argument& argument = arguments[(*count)++];
            argument.name = name;
            argument.type = UNKNOWNOID;
            argument.isnull = value.type == jbvNull;
            argument.json = argument.isnull ? nullptr : JsonbValueToJsonb(&value);
        }
    }
    return arguments;
}

void ReturnLine(ReturnSetInfo* result, const char* line, Size length) {
    Datum value = PointerGetDatum(cstring_to_text_with_len(line, static_cast<int>(length)));
    bool isnull = false;
    tuplestore_putvalues(result->setResult, result->setDesc, &value, &isnull);
}

// Text line by line, with an empty line between statements; other formats a document a row.
void ReturnTexts(FunctionCallInfo fcinfo, const List* texts, ExplainFormat format) {
    InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    ListCell* cell;
    foreach (cell, texts) {
        const auto* text = static_cast<const char*>(lfirst(cell));
        if (format != EXPLAIN_FORMAT_TEXT) {
            ReturnLine(result, text, strlen(text));
            continue;
        }
        if (foreach_current_index(cell) > 0) {
            ReturnLine(result, "", 0);
        }
        while (*text != '\0') {
            const Size length = strcspn(text, "\n");
            ReturnLine(result, text, length);
            text += length + (text[length] == '\n' ? 1 : 0);
        }
    }
}

}  // namespace

// function, VARIADIC arguments
FRESHCRM_FUNCTION(freshcrm_explain_rpc) {
    const char* function = FunctionArgument(fcinfo);
    int count;
    Argument* arguments = PG_NARGS() > 1 && get_fn_expr_variadic(fcinfo->flinfo)
                              ? ArrayArguments(fcinfo, &count)
                              : GivenArguments(fcinfo, &count);
    const Options options = ReadOptions(nullptr);
    ReturnTexts(fcinfo, ExplainCall(FindCall(function, arguments, count), options), options.format);
    return Datum{0};
}

// function, arguments, options
FRESHCRM_FUNCTION(freshcrm_explain_rpc_with) {
    const char* function = FunctionArgument(fcinfo);
    const Options options = ReadOptions(PG_ARGISNULL(2) ? nullptr : PG_GETARG_JSONB_P(2));
    int count = 0;
    Argument* arguments =
        PG_ARGISNULL(1) ? NewArguments(0) : JsonArguments(PG_GETARG_JSONB_P(1), &count);
    ReturnTexts(fcinfo, ExplainCall(FindCall(function, arguments, count), options), options.format);
    return Datum{0};
}
