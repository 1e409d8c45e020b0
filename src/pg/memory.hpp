// What is to be done when a memory context ends, and C++ objects owned by one.
#pragma once

#include "pg/postgres.hpp"
// The standard library after the server's headers.
#include <new>
#include <utility>

namespace freshcrm::pg {

// Calls `function` when the context is reset or deleted, and so at the latest when the
// (sub)transaction ends that it belongs to, whatever ends that. Raises without memory.
inline void OnReset(MemoryContext context, void (*function)(void* arg), void* arg) {
    auto* callback = static_cast<MemoryContextCallback*>(
        MemoryContextAlloc(context, sizeof(MemoryContextCallback)));
    callback->func = function;
    callback->arg = arg;
    MemoryContextRegisterResetCallback(context, callback);
}

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
