#include "conditional/http.hpp"

#include "conditional/settings.hpp"

extern "C" {
#include "utils/json.h"
}

namespace freshcrm::conditional {

namespace {

int SqlStateOf(int status) {
    return MAKE_SQLSTATE('F', 'C', '0' + status / 100, '0' + status / 10 % 10, '0' + status % 10);
}

void AppendMember(StringInfo json, const char* name, const char* value) {
    appendStringInfo(json, "%s\"%s\": ", json->len > 1 ? ", " : "", name);
    if (value == nullptr) {
        appendStringInfoString(json, "null");
    } else {
        escape_json(json, value);
    }
}

const char* Message(const Response& response) {
    StringInfoData json;
    initStringInfo(&json);
    appendStringInfoChar(&json, '{');
    AppendMember(&json, "code", psprintf("FC%03d", response.status));
    AppendMember(&json, "message", response.message);
    AppendMember(&json, "details", response.detail);
    AppendMember(&json, "hint", response.hint);
    appendStringInfoChar(&json, '}');
    return json.data;
}

const char* Detail(const Response& response) {
    return psprintf(R"({"status": %d, "headers": %s})", response.status,
                    response.headers != nullptr ? response.headers : "{}");
}

const char* HeadersOf(const char* tag) {
    StringInfoData json;
    initStringInfo(&json);
    appendStringInfoChar(&json, '{');
    if (tag != nullptr) {
        AppendMember(&json, "ETag", psprintf("\"%s\"", tag));
    }
    AppendMember(&json, "Cache-Control", "private, no-cache");
    AppendMember(&json, "Vary", "Authorization, Accept");
    appendStringInfoChar(&json, '}');
    return json.data;
}

}  // namespace

void RaiseResponse(const Response& response) {
    if (SpeaksPostgrest()) {
        ereport(ERROR, (errcode(MAKE_SQLSTATE('P', 'G', 'R', 'S', 'T')),
                        errmsg_internal("%s", Message(response)),
                        errdetail_internal("%s", Detail(response))));
    }
    ereport(ERROR, (errcode(SqlStateOf(response.status)),
                    errmsg_internal("%s", response.message != nullptr ? response.message : ""),
                    errdetail_internal("%s", Detail(response)),
                    response.hint != nullptr ? errhint("%s", response.hint) : 0));
    pg_unreachable();
}

void RaisePreconditionFailed(const char* tag) {
    RaiseResponse({412, "precondition failed",
                   tag != nullptr ? "The row has another tag than those of If-Match."
                                  : "There is no such row.",
                   "Read it again, and send the tag that it has now.", HeadersOf(tag)});
}

}  // namespace freshcrm::conditional
