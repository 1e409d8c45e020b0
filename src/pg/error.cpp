#include "pg/error.hpp"

#include <cstring>
#include <new>

namespace freshcrm::pg {

namespace {

// A copy that the server frees when it next clears its error stack, or null without memory.
// ErrorContext is where elog.c itself keeps errors in flight.
const char* CopyToErrorContext(const char* text) noexcept {
    if (text == nullptr || *text == '\0') {
        return nullptr;
    }
    const std::size_t size = std::strlen(text) + 1;
    void* copy = MemoryContextAllocExtended(ErrorContext, size, MCXT_ALLOC_NO_OOM);
    return copy == nullptr ? nullptr : static_cast<const char*>(std::memcpy(copy, text, size));
}

}  // namespace

ServerError ServerError::Capture(MemoryContext caller) noexcept {
    MemoryContext volatile context = nullptr;
    ErrorData* volatile data = nullptr;
    // Copying allocates, and may fail as any allocation may.
    PG_TRY();
    {
        context = AllocSetContextCreate(TopMemoryContext, "freshcrm error in flight",
                                        ALLOCSET_SMALL_SIZES);
        MemoryContextSwitchTo(context);
        data = CopyErrorData();
    }
    PG_CATCH();
    { data = nullptr; }
    PG_END_TRY();
    MemoryContextSwitchTo(caller);
    FlushErrorState();
    return ServerError(context, data);
}

ServerError::~ServerError() {
    if (context_ != nullptr) {
        MemoryContextDelete(context_);
    }
}

const char* ServerError::what() const noexcept {
    return data_ != nullptr && data_->message != nullptr ? data_->message : "out of memory";
}

ErrorData* ServerError::Release() noexcept {
    if (data_ != nullptr) {
        // FlushErrorState() deletes the children of ErrorContext.
        MemoryContextSetParent(context_, ErrorContext);
        context_ = nullptr;
    }
    return data_;
}

PendingError PendingError::FromCurrentException() noexcept {
    PendingError pending;
    try {
        throw;
    } catch (ServerError& error) {
        pending.data_ = error.Release();
        if (pending.data_ == nullptr) {
            pending.sqlstate_ = ERRCODE_OUT_OF_MEMORY;
        }
    } catch (const Error& error) {
        pending.sqlstate_ = error.sqlstate();
        pending.message_ = CopyToErrorContext(error.what());
        pending.detail_ = CopyToErrorContext(error.detail().c_str());
        pending.hint_ = CopyToErrorContext(error.hint().c_str());
    } catch (const std::bad_alloc&) {
        pending.sqlstate_ = ERRCODE_OUT_OF_MEMORY;
    } catch (const std::exception& error) {
        pending.message_ = CopyToErrorContext(error.what());
    } catch (...) {
        pending.message_ = "unexpected C++ exception";
    }
    if (pending.message_ == nullptr) {
        pending.message_ = "unexpected C++ exception";
    }
    return pending;
}

void PendingError::Raise(int level) const {
    if (data_ != nullptr && level == ERROR) {
        ReThrowError(data_);
    }
    const ErrorData* data = data_;
    const char* message = data != nullptr ? data->message : message_;
    const char* detail = data != nullptr ? data->detail : detail_;
    const char* hint = data != nullptr ? data->hint : hint_;
    ereport(level, (errcode(data != nullptr ? data->sqlerrcode : sqlstate_),
                    errmsg_internal("%s", message), detail ? errdetail_internal("%s", detail) : 0,
                    hint ? errhint("%s", hint) : 0));
}

}  // namespace freshcrm::pg
