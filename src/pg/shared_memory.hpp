// Memory that all sessions share, when the module is preloaded.
#pragma once

#include "pg/entry.hpp"

extern "C" {
#include "miscadmin.h"
#include "storage/ipc.h"
}

namespace freshcrm::pg {

// To be called when the module is loaded. Where the postmaster loads it, `Request` is called when
// memory and locks can be asked for, and `Attach` when they are there, after what other modules do
// then; in a session that loads it, neither is.
template <void (*Request)(), void (*Attach)()>
void ShareMemory() {
    if (!process_shared_preload_libraries_in_progress) {
        return;
    }
    static const shmem_request_hook_type next_request = shmem_request_hook;
    static const shmem_startup_hook_type next_startup = shmem_startup_hook;
    shmem_request_hook = [] {
        if (next_request != nullptr) {
            next_request();
        }
        Enter(Request);
    };
    shmem_startup_hook = [] {
        if (next_startup != nullptr) {
            next_startup();
        }
        Enter(Attach);
    };
}

}  // namespace freshcrm::pg
