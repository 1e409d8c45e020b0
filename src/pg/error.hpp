// Errors on their way through C++.
//
// A PostgreSQL error is a longjmp and a C++ exception unwinds frames; neither may cross the other.
// On the way up a server error travels as ServerError (guard.hpp makes it), an error of ours as
// Error; entry.hpp turns both back into a server error where C++ ends.
//
//     throw pg::Error(ERRCODE_UNDEFINED_COLUMN, "column \"x\" does not exist")
//         .Detail("The view \"v\" has the columns a, b.")
//         .Hint("Name one of them.");
#pragma once

#include "pg/postgres.hpp"
// The standard library after the server's headers.
#include <exception>
#include <string>
#include <utility>

namespace freshcrm::pg {

// An error raised by freshcrm's own C++ code. Messages are lower-case without a period; detail and
// hint are whole sentences; an empty string means none.
class Error : public std::exception {
  public:
    Error(int sqlstate, std::string message) : sqlstate_(sqlstate), message_(std::move(message)) {}

    Error&& Detail(std::string text) && {
        detail_ = std::move(text);
        return std::move(*this);
    }
    Error&& Hint(std::string text) && {
        hint_ = std::move(text);
        return std::move(*this);
    }

    int sqlstate() const { return sqlstate_; }
    const std::string& detail() const { return detail_; }
    const std::string& hint() const { return hint_; }
    const char* what() const noexcept override { return message_.c_str(); }

  private:
    int sqlstate_;
    std::string message_;
    std::string detail_;
    std::string hint_;
};

// An error that the server raised below C++ frames, complete: SQLSTATE, message, detail, hint,
// context, the names of the objects, the place in the source. It owns the memory context that its
// ErrorData lives in.
class ServerError : public std::exception {
  public:
    // Takes the error off the server's error stack. `caller` is the memory context to go on in.
    // Never raises: without memory it carries a bare 53200.
    static ServerError Capture(MemoryContext caller) noexcept;

    ServerError(ServerError&& other) noexcept
        : context_(std::exchange(other.context_, nullptr)), data_(other.data_) {}
    ServerError(const ServerError&) = delete;
    ServerError& operator=(const ServerError&) = delete;
    ServerError& operator=(ServerError&&) = delete;
    ~ServerError() override;

    int sqlstate() const { return data_ != nullptr ? data_->sqlerrcode : ERRCODE_OUT_OF_MEMORY; }
    const char* what() const noexcept override;

    // Hands the error over; its memory is freed when the server next clears its error stack. Null
    // when there was no memory to keep the error in.
    ErrorData* Release() noexcept;

  private:
    ServerError(MemoryContext context, ErrorData* data) : context_(context), data_(data) {}

    MemoryContext context_;
    ErrorData* data_;
};

// What is left of an exception once its catch block has been left: plain memory, so that raising it
// skips no destructor. Made inside the catch block, raised outside.
class PendingError {
  public:
    // To be called inside a catch block, for the exception being handled. Never throws or raises.
    static PendingError FromCurrentException() noexcept;

    // Does not return. What it holds is freed when the server next clears its error stack.
    [[noreturn]] void Raise() const;

    // Reports it as a warning where an error can no longer be raised, and frees what it holds.
    void Warn() const;

    int sqlstate() const { return data_ != nullptr ? data_->sqlerrcode : sqlstate_; }

  private:
    void Report(int level) const;

    ErrorData* data_ = nullptr;  // a server error; the fields below are those of any other
    int sqlstate_ = ERRCODE_INTERNAL_ERROR;
    char* message_ = nullptr;
    char* detail_ = nullptr;
    char* hint_ = nullptr;
};

}  // namespace freshcrm::pg
