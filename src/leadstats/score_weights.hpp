// Weights of the factors of a score, as callers give them:  {"recency": 2, "stage": 0}
//
// A factor that is not named keeps its default; they need not sum to one. 22023 for what is no
// object, names that are no factors, values that are no numbers from 0 to core::kLargestWeight, and
// weights that are all zero; the hint lists the factors.
#pragma once

#include "core/scoring.hpp"
#include "pg/postgres.hpp"

extern "C" {
#include "utils/jsonb.h"
}

namespace freshcrm::leadstats {

// What was read last, kept by a call site (in fn_extra): the next row has the same weights. All
// zero is nothing yet.
struct KnownWeights {
    bool known;
    Jsonb* weights;  // a copy in the call site's memory; null for none
    std::int32_t shares[core::kMostFactors];
};

// The shares of `factors`; null weights are none. A copy of them is kept in `context`.
std::span<const std::int32_t> SharesOfWeights(KnownWeights* known, MemoryContext context,
                                              std::span<const core::FactorName> factors,
                                              const Jsonb* weights);

}  // namespace freshcrm::leadstats
