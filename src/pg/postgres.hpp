// The one way to include PostgreSQL: comes first in every file that is not src/core.
//
// The server's headers are C, written for a C compiler's warnings; they are read here as they are,
// with C linkage and with the warnings off that only they would raise.
#pragma once

// PostgreSQL 15 leaves PGDLLEXPORT empty on Unix. The module is built with hidden symbols, so what
// the server looks up by name (functions, their info records, the magic block) is made visible.
#define PGDLLEXPORT __attribute__((visibility("default")))

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wregister"
#pragma GCC diagnostic ignored "-Wpedantic"

extern "C" {
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
}

#pragma GCC diagnostic pop

// The server's headers redefine these as macros over its own implementations; std needs the names.
#undef printf
#undef snprintf
#undef sprintf
#undef vsnprintf
#undef vsprintf
#undef fprintf
#undef vfprintf
#undef vprintf
#undef strerror
#undef strerror_r
