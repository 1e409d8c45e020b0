// C++ objects owned by memory contexts.
#pragma once

#include "pg/postgres.hpp"
// The standard library after the server's headers.
#include <new>
#include <utility>

namespace freshcrm::pg {

// Makes an object that lives in `context` and is destroyed when that is reset or deleted. Raises
// without memory, and throws what the constructor throws.
template <typename T, typename... Args>
T* NewIn(MemoryContext context, Args&&... args) {
    static_assert(alignof(T) <= MAXIMUM_ALIGNOF, "palloc aligns no further");
    auto* callback = static_cast<MemoryContextCallback*>(
        MemoryContextAlloc(context, sizeof(MemoryContextCallback)));
    T* object = new (MemoryContextAlloc(context, sizeof(T))) T(std::forward<Args>(args)...);
    callback->func = [](void* arg) { static_cast<T*>(arg)->~T(); };
    callback->arg = object;
    MemoryContextRegisterResetCallback(context, callback);
    return object;
}

}  // namespace freshcrm::pg
