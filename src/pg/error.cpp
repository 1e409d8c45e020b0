#include "pg/error.hpp"

#include <cstring>
#include <new>

namespace freshcrm::pg {

namespace {

// A copy that the server frees when it next clears its error stack, or null without memory.
// ErrorContext is where elog.c itself keeps errors in flight.
char* CopyToErrorContext(const char* text) noexcept {
    if (text == nullptr || *text == '\0') {
        return nullptr;
    }
    const std::size_t size = std::strlen(text) + 1;
    void* copy =
        MemoryContextAllocExtended(ErrorContext, size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
    return copy == nullptr ? nullptr : static_cast<char*>(std::memcpy(copy, text, size));
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
        // Nothing is known of it.
    }
    return pending;
}

void PendingError::Raise() const {
    if (data_ != nullptr) {
        ReThrowError(data_);
    }
    Report(ERROR);
    pg_unreachable();
}

void PendingError::Warn() const {
    Report(WARNING);
    if (data_ != nullptr) {
        MemoryContextDelete(GetMemoryChunkContext(data_));
    }
    for (char* text : {message_, detail_, hint_}) {
        if (text != nullptr) {
            pfree(text);
        }
    }
}

void PendingError::Report(int level) const {
    const int sqlstate = data_ != nullptr ? data_->sqlerrcode : sqlstate_;
    const char* message = data_ != nullptr ? data_->message : message_;
    const char* detail = data_ != nullptr ? data_->detail : detail_;
    const char* hint = data_ != nullptr ? data_->hint : hint_;
    if (message == nullptr) {
        message = sqlstate == ERRCODE_OUT_OF_MEMORY ? "out of memory" : "unexpected C++ exception";
    }
    ereport(level, (errcode(sqlstate), errmsg_internal("%s", message),
                    detail != nullptr ? errdetail_internal("%s", detail) : 0,
                    hint != nullptr ? errhint("%s", hint) : 0));
}

}  // namespace freshcrm::pg
