#include "leadstats/score_weights.hpp"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/numeric.h"
}

namespace freshcrm::leadstats {

namespace {

using Factors = std::span<const core::FactorName>;

const char* Hint(Factors factors) {
    StringInfoData hint;
    initStringInfo(&hint);
    for (const core::FactorName& factor : factors) {
        appendStringInfo(&hint, "%s\"%.*s\": %g", hint.len > 0 ? ", " : "",
                         static_cast<int>(factor.name.size()), factor.name.data(),
                         factor.default_weight);
    }
    return psprintf(
        "The factors and their defaults are {%s}. Weights are numbers from 0 to %.0f, "
        "and need not sum to 1.",
        hint.data, core::kLargestWeight);
}

[[noreturn]] void RaiseWeights(Factors factors, const char* message) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", message),
                    errhint("%s", Hint(factors))));
    pg_unreachable();
}

// For messages, of a length that can be read.
const char* Name(const JsonbValue& key) {
    const char* name = key.val.string.val;
    return pnstrdup(name,
                    static_cast<Size>(pg_mbcliplen(name, key.val.string.len, NAMEDATALEN - 1)));
}

std::size_t FindFactor(Factors factors, const JsonbValue& key) {
    const std::string_view name(key.val.string.val, static_cast<std::size_t>(key.val.string.len));
    for (std::size_t i = 0; i < factors.size(); i++) {
        if (factors[i].name == name) {
            return i;
        }
    }
    RaiseWeights(factors, psprintf("weights name \"%s\", which is no factor", Name(key)));
}

double ReadWeight(Factors factors, const char* name, const JsonbValue& value) {
    if (value.type != jbvNumeric) {
        RaiseWeights(factors, psprintf("weight \"%s\" is not a number", name));
    }
    const double weight = DatumGetFloat8(
        DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value.val.numeric)));
    if (!(weight >= 0)) {
        RaiseWeights(factors, psprintf("weight \"%s\" is negative", name));
    }
    if (weight > core::kLargestWeight) {
        RaiseWeights(factors, psprintf("weight \"%s\" is too large", name));
    }
    return weight;
}

// Reads what is given over the defaults.
void ReadWeights(Factors factors, const Jsonb* json, std::span<double> weights) {
    if (!JB_ROOT_IS_OBJECT(json)) {
        RaiseWeights(factors, "weights must be a JSON object");
    }
    JsonbIterator* iterator = JsonbIteratorInit(const_cast<JsonbContainer*>(&json->root));
    JsonbValue value;
    std::size_t factor = 0;
    const char* name = "";
    for (JsonbIteratorToken token;
         (token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE;) {
        if (token == WJB_KEY) {
            factor = FindFactor(factors, value);
            name = Name(value);
        } else if (token == WJB_VALUE) {
            weights[factor] = ReadWeight(factors, name, value);
        }
    }
}

bool SameWeights(const Jsonb* a, const Jsonb* b) {
    if (a == nullptr || b == nullptr) {
        return a == b;
    }
    return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

}  // namespace

std::span<const std::int32_t> SharesOfWeights(KnownWeights* known, MemoryContext context,
                                              Factors factors, const Jsonb* weights) {
    const std::span<std::int32_t> shares(known->shares, factors.size());
    if (known->known && SameWeights(known->weights, weights)) {
        return shares;
    }
    double values[core::kMostFactors];
    for (std::size_t i = 0; i < factors.size(); i++) {
        values[i] = factors[i].default_weight;
    }
    if (weights != nullptr) {
        ReadWeights(factors, weights, values);
    }
    known->known = false;
    if (known->weights != nullptr) {
        pfree(known->weights);
        known->weights = nullptr;
    }
    if (weights != nullptr) {
        known->weights = static_cast<Jsonb*>(MemoryContextAlloc(context, VARSIZE(weights)));
        memcpy(known->weights, weights, VARSIZE(weights));
    }
    if (!core::ShareWeights({values, factors.size()}, shares)) {
        RaiseWeights(factors, "all weights are zero");
    }
    known->known = true;
    return shares;
}

}  // namespace freshcrm::leadstats
