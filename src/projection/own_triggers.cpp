#include "projection/own_triggers.hpp"

#include "pg/memory.hpp"

extern "C" {
#include "nodes/parsenodes.h"
#include "nodes/value.h"
#include "utils/memutils.h"
}

namespace freshcrm::projection {

namespace {

// Lives in a context of the (sub)transaction, whose end takes it away whatever happens.
struct Making {
    MemoryContext context;
    const char* id;
    Making* previous;  // an event trigger of the user may make a projection in between
};

Making* making = nullptr;

bool CallsCapture(const CreateTrigStmt* command) {
    return list_length(command->funcname) == 2 &&
           strcmp(strVal(linitial(command->funcname)), "freshcrm") == 0 &&
           strcmp(strVal(lsecond(command->funcname)), "capture") == 0;
}

}  // namespace

void BeginOwnTriggers(int32 id) {
    MemoryContext context =
        AllocSetContextCreate(CurTransactionContext, "freshcrm triggers", ALLOCSET_SMALL_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);
    auto* begun = static_cast<Making*>(palloc(sizeof(Making)));
    *begun = {context, psprintf("%d", id), making};
    pg::OnReset(
        context, [](void* ended) { making = static_cast<Making*>(ended)->previous; }, begun);
    MemoryContextSwitchTo(caller);
    making = begun;
}

void EndOwnTriggers() {
    MemoryContextDelete(making->context);
}

bool IsOwnTrigger(const Node* command) {
    if (making == nullptr || !IsA(command, CreateTrigStmt)) {
        return false;
    }
    const auto* create = reinterpret_cast<const CreateTrigStmt*>(command);
    return CallsCapture(create) && list_length(create->args) == 1 &&
           strcmp(strVal(linitial(create->args)), making->id) == 0;
}

}  // namespace freshcrm::projection
