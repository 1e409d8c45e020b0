#include "projection/query_text.hpp"

extern "C" {
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "utils/varlena.h"
}

namespace freshcrm::projection {

namespace {

[[noreturn]] void RaiseNoSelect(const char* what, const char* detail, const char* hint) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s is not a single SELECT", what),
             errdetail("%s", detail), errhint("%s", hint)));
    pg_unreachable();
}

// The position of a syntax error is one in this text, not in the statement that the client sent.
List* Parse(const char* query) {
    ErrorContextCallback context{};
    context.previous = error_context_stack;
    context.callback = [](void* text) {
        const int position = geterrposition();
        if (position > 0) {
            errposition(0);
            internalerrposition(position);
            internalerrquery(static_cast<const char*>(text));
        }
    };
    context.arg = const_cast<char*>(query);
    error_context_stack = &context;
    List* statements = raw_parser(query, RAW_PARSE_DEFAULT);
    error_context_stack = context.previous;
    return statements;
}

}  // namespace

const char* OnlySelect(const char* query, const char* what, const char* hint) {
    List* statements = Parse(query);
    if (list_length(statements) != 1) {
        RaiseNoSelect(what, psprintf("It consists of %d statements.", list_length(statements)),
                      hint);
    }
    const auto* raw = static_cast<RawStmt*>(linitial(statements));
    if (!IsA(raw->stmt, SelectStmt) ||
        reinterpret_cast<SelectStmt*>(raw->stmt)->intoClause != nullptr) {
        RaiseNoSelect(what, "Its statement is another one.", hint);
    }
    return raw->stmt_len > 0 ? pnstrdup(query + raw->stmt_location, raw->stmt_len)
                             : query + raw->stmt_location;
}

bool IsName(const char* text) {
    List* parts;
    return SplitIdentifierString(pstrdup(text), '.', &parts) && parts != NIL;
}

}  // namespace freshcrm::projection
