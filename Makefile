# freshcrm: a PostgreSQL extension in C++20, built with PGXS.
#
#   make               build with g++ (make CXX=clang++ for clang)
#   make install       into the PostgreSQL that PG_CONFIG names
#   make demo          the main job on real data, in a private throw-away server
#   make shell         psql in the server of the demo
#   make test          every test, in private throw-away servers (make test-regress for one suite)
#   make test-random  random views and workloads, for long: SEED, VIEWS, STATEMENTS, LIMIT (seconds), SHAPES
#   make test-concurrent  random transactions of many clients at once: SEED, LIMIT (seconds), SHAPES
#   make test-fuzz     fuzzing of src/core, for 10 seconds or for RUNS inputs
#   make test-collections  random schedules over tags of collections: SEED, SCHEDULES (10000), LIMIT (seconds)
#   make test-refreshes  random schedules over refreshes that may be skipped: SEED, SCHEDULES (10000), LIMIT (seconds)
#   make bench         what upkeep costs, beside its rivals: SCALE and more in bench/README.md
#   make bench-concurrency  how the writes of several clients get on with each other
#   make bench-etags  what an entity tag costs
#   make bench-stats  what the statistics of leads cost
#   make bench-scores  how well scores rank real opportunities
#   make bench-refresh  what it costs to know that nothing is to be refreshed
#   make lint          format, clang-tidy, cppcheck and the project's own rules

EXTENSION = freshcrm
EXTVERSION = 0.1
MODULE_big = freshcrm

# One object a source file; each folder of src is one layer or capability (src/README.md).
CXX_SOURCES = $(sort $(wildcard src/*.cpp src/*/*.cpp))
OBJS = $(CXX_SOURCES:.cpp=.o)

# The install script: one part a capability, joined in this order.
SQL_PARTS = sql/header.sql sql/etag.sql sql/queue.sql sql/projection.sql sql/collection.sql \
            sql/conditional.sql sql/leadstats.sql sql/rollup.sql sql/score.sql sql/explain_rpc.sql \
            sql/cron.sql sql/watch.sql sql/refresh.sql sql/matview_dump.sql sql/sources.sql \
            sql/schedule.sql sql/tick.sql sql/due.sql sql/matview_status.sql sql/health.sql \
            sql/crm/tables.sql sql/crm/mapping.sql sql/crm/stats.sql sql/crm/matviews.sql sql/crm/refresh.sql \
            sql/crm/install.sql
SQL_SCRIPT = sql/$(EXTENSION)--$(EXTVERSION).sql
DATA_built = $(SQL_SCRIPT)

REGRESS = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --load-extension=$(EXTENSION)
ISOLATION = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --outputdir=output_iso --load-extension=$(EXTENSION)

CXX = g++
FRESHCRM_CXXFLAGS = -std=c++20 -Isrc -fvisibility=hidden -fvisibility-inlines-hidden \
    -fno-strict-aliasing -fwrapv -Wall -Wextra -Werror -Wno-missing-field-initializers
PG_CXXFLAGS = $(FRESHCRM_CXXFLAGS) -MMD -MP
SHLIB_LINK = -lcrypto -lstdc++ -Wl,--version-script=src/exports.map
EXTRA_CLEAN = $(SQL_SCRIPT) $(CXX_SOURCES:.cpp=.d) results output_iso regression.diffs \
    regression.out build

.DEFAULT_GOAL := all

demo shell test lint:
	@test/tools/$@
test-%:
	@SUITE=$* test/tools/test
bench:
	@bench/run
bench-%:
	@bench/run $*
# The value of a variable, for the tools.
print-%:
	@echo '$($*)'
.PHONY: demo shell test lint bench

# Those goals need no PostgreSQL yet: they install it.
ifneq ($(filter-out demo shell test lint bench test-% bench-%,$(or $(MAKECMDGOALS),all)),)
PG_CONFIG ?= $(firstword $(wildcard /usr/lib/postgresql/15/bin/pg_config) pg_config)
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Bitcode is compiled by PGXS's clang, which is told neither the language version nor that C headers
# of the server may say "register". Aliases, as C++ makes of constructors, crash the server when it
# inlines a function that calls them into JIT-compiled code (PostgreSQL: llvmjit_inline.cpp).
COMPILE.cxx.bc += $(filter-out -Werror,$(FRESHCRM_CXXFLAGS)) -Wno-register -Wno-unknown-warning-option \
    -Xclang -mno-constructor-aliases

# The warnings that pg_config remembers are those of the server's gcc.
ifneq ($(findstring clang,$(CXX)),)
override CXXFLAGS += -Wno-unknown-warning-option -Wno-register -Wno-ignored-attributes
endif

# Other flags make other objects.
$(OBJS): Makefile

# Through the object, so that a changed header rebuilds it too.
$(CXX_SOURCES:.cpp=.bc): %.bc: %.o

$(SQL_SCRIPT): $(SQL_PARTS) $(MAKEFILE_LIST)
	cat $(SQL_PARTS) > $@

-include $(CXX_SOURCES:.cpp=.d)
endif
