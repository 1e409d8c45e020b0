// What explain_rpc shows, in the words of EXPLAIN.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "commands/explain.h"
#include "utils/jsonb.h"
}

namespace freshcrm::explain {

struct Options {
    bool analyze = false;  // the function is run
    bool verbose = false;
    bool costs = true;
    bool buffers = false;
    bool wal = false;
    bool timing = true;   // only with analyze, and so is the next
    bool summary = true;  // how long statements took
    bool settings = false;
    ExplainFormat format = EXPLAIN_FORMAT_TEXT;
};

// Of an object such as {"analyze": true, "format": "json"}; null: the defaults. Raises 22023 for
// what is none of them.
Options ReadOptions(const Jsonb* json);

// What the executor has to measure.
int InstrumentOptions(const Options& options);

// A new printer in the current memory context.
ExplainState* MakePrinter(const Options& options);

}  // namespace freshcrm::explain
