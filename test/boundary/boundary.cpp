// Entries of every kind into the failures.
#include "failures.hpp"
#include "pg/entry.hpp"
// The standard library after the server's headers.
#include <malloc.h>

#include <string>

extern "C" {
#include "commands/trigger.h"
#include "storage/shmem.h"
#include "utils/inval.h"
#include "utils/resowner.h"

PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init();
}

using boundary::Counted;
namespace pg = freshcrm::pg;

namespace {

// What the next callback of a kind does, once.
struct Armed {
    bool relcache;
    XactEvent event;  // where it is not for the relation cache
    char way[32];     // empty: nothing
};
Armed armed;

void FailArmed() {
    const Armed now = armed;
    armed.way[0] = '\0';
    boundary::Fail(now.way);
}

void AtTransactionEvent(XactEvent event, void*) {
    if (armed.way[0] != '\0' && !armed.relcache && armed.event == event) {
        FailArmed();
    }
}

void AtInvalidation(Oid) {
    if (armed.way[0] != '\0' && armed.relcache) {
        FailArmed();
    }
}

XactEvent EventNamed(std::string_view name) {
    if (name == "pre_commit") {
        return XACT_EVENT_PRE_COMMIT;
    }
    if (name == "pre_prepare") {
        return XACT_EVENT_PRE_PREPARE;
    }
    if (name == "commit") {
        return XACT_EVENT_COMMIT;
    }
    if (name == "abort") {
        return XACT_EVENT_ABORT;
    }
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "unknown event");
}

// Where the server would go with its next error, and what it would find there.
struct ServerState {
    sigjmp_buf* jump = PG_exception_stack;
    ErrorContextCallback* callbacks = error_context_stack;
    MemoryContext memory = CurrentMemoryContext;
    bool operator==(const ServerState&) const = default;
};

}  // namespace

extern "C" void _PG_init() {
    RegisterXactCallback(pg::XactEntry<AtTransactionEvent>, nullptr);
    CacheRegisterRelcacheCallback(pg::RelcacheEntry<AtInvalidation>, 0);
}

// boundary_fail(way text) RETURNS text
FRESHCRM_FUNCTION(freshcrm_boundary_fail) {
    boundary::Fail(text_to_cstring(PG_GETARG_TEXT_PP(0)));
    PG_RETURN_TEXT_P(cstring_to_text("no failure"));
}

// A row trigger; its argument is the way to fail.
FRESHCRM_FUNCTION(freshcrm_boundary_trigger) {
    auto* trigger = reinterpret_cast<TriggerData*>(fcinfo->context);
    boundary::Fail(trigger->tg_trigger->tgargs[0]);
    return PointerGetDatum(trigger->tg_trigtuple);
}

// boundary_arm(event text, way text): the next callback of that kind fails in that way.
FRESHCRM_FUNCTION(freshcrm_boundary_arm) {
    const char* event = text_to_cstring(PG_GETARG_TEXT_PP(0));
    const char* way = text_to_cstring(PG_GETARG_TEXT_PP(1));
    const bool relcache = std::string_view(event) == "relcache";
    armed.event = relcache ? XACT_EVENT_COMMIT : EventNamed(event);
    armed.relcache = relcache;
    strlcpy(armed.way, way, sizeof(armed.way));
    PG_RETURN_VOID();
}

// boundary_contained(way text) RETURNS text: fails inside a subtransaction of its own, rolls that
// back and says what was caught; and where the server's own state is not what it was before.
FRESHCRM_FUNCTION(freshcrm_boundary_contained) {
    const char* way = text_to_cstring(PG_GETARG_TEXT_PP(0));
    std::string caught = "nothing";
    const MemoryContext caller = CurrentMemoryContext;
    const ResourceOwner owner = CurrentResourceOwner;
    pg::Call([] { BeginInternalSubTransaction(nullptr); });
    const ServerState before;
    try {
        boundary::Fail(way);
    } catch (const pg::ServerError& error) {
        caught = std::string(unpack_sql_state(error.sqlstate())) + " " + error.what();
    } catch (const std::exception& error) {
        caught = error.what();
    } catch (...) {
        caught = "something else";
    }
    if (ServerState() != before) {
        caught += ", and the server's state is not what it was";
    }
    pg::Call([] { RollbackAndReleaseCurrentSubTransaction(); });
    MemoryContextSwitchTo(caller);
    CurrentResourceOwner = owner;
    text* result = pg::Call([&] { return cstring_to_text(caught.c_str()); });
    PG_RETURN_TEXT_P(result);
}

// boundary_made(), boundary_alive() RETURNS bigint: counted objects so far, and still there.
FRESHCRM_FUNCTION(freshcrm_boundary_made) {
    PG_RETURN_INT64(Counted::made);
}
FRESHCRM_FUNCTION(freshcrm_boundary_alive) {
    PG_RETURN_INT64(Counted::alive);
}

// boundary_heap() RETURNS bigint: bytes in use of the C heap, which the server's contexts are part
// of.
FRESHCRM_FUNCTION(freshcrm_boundary_heap) {
    const struct mallinfo2 info = mallinfo2();
    PG_RETURN_INT64(static_cast<int64>(info.uordblks + info.hblkhd));
}

// boundary_interrupts_held() RETURNS integer
FRESHCRM_FUNCTION(freshcrm_boundary_interrupts_held) {
    PG_RETURN_INT32(static_cast<int32>(InterruptHoldoffCount + QueryCancelHoldoffCount));
}

// All that the server has to spare, until it is started again.
FRESHCRM_FUNCTION(freshcrm_boundary_take_shared_memory) {
    int64 pieces = 0;
    while (ShmemAllocNoError(128) != nullptr) {
        ++pieces;
    }
    PG_RETURN_INT64(pieces);
}
