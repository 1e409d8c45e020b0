// HTTP responses that end a statement: they are raised as errors.
#pragma once

#include "pg/postgres.hpp"

namespace freshcrm::conditional {

// What a response says beside its status. Null where there is nothing to say.
struct Response {
    int status;  // 100 to 599
    const char* message;
    const char* detail;
    const char* hint;
    const char* headers;  // a JSON object, of a string for each name
};

// Raises it. For PostgREST (settings.hpp) with SQLSTATE PGRST, as its documentation has it
// ("Errors", Add HTTP Headers with RAISE): the message is the JSON object {"code", "message",
// "details", "hint"}, the detail {"status", "headers"}. Else with the SQLSTATE of "FC" and the
// status, message and hint as they are, and the same detail.
[[noreturn]] void RaiseResponse(const Response& response);

// 412 for an If-Match that `tag`, that of the row (null: there is none), does not meet.
[[noreturn]] void RaisePreconditionFailed(const char* tag);

}  // namespace freshcrm::conditional
