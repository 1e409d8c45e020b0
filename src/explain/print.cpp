#include "explain/print.hpp"

extern "C" {
#include "parser/scansup.h"
}

namespace freshcrm::explain {

ExplainState* BeginStatement(const Options& options) {
    ExplainState* printer = MakePrinter(options);
    ExplainBeginOutput(printer);
    ExplainOpenGroup("Query", nullptr, true, printer);
    return printer;
}

const char* EndStatement(ExplainState* printer) {
    ExplainCloseGroup("Query", nullptr, true, printer);
    ExplainEndOutput(printer);
    return printer->str->data;
}

void PrintText(ExplainState* printer, const char* text) {
    if (*text != '\0') {
        ExplainPropertyText("Query Text", text, printer);
    }
}

void PrintPlan(ExplainState* printer, QueryDesc* query) {
    ExplainPrintPlan(printer, query);
    if (printer->analyze) {
        ExplainPrintTriggers(printer, query);
        if (printer->costs) {
            ExplainPrintJITSummary(printer, query);
        }
    }
}

const char* StatementText(const QueryDesc* query) {
    const char* text = query->sourceText;
    const PlannedStmt* plan = query->plannedstmt;
    if (plan->stmt_location < 0) {
        return Trimmed(text, strlen(text));
    }
    text += plan->stmt_location;
    return Trimmed(text, plan->stmt_len > 0 ? static_cast<Size>(plan->stmt_len) : strlen(text));
}

const char* Trimmed(const char* text, Size length) {
    while (length > 0 && scanner_isspace(*text)) {
        ++text;
        --length;
    }
    while (length > 0 && (scanner_isspace(text[length - 1]) || text[length - 1] == ';')) {
        --length;
    }
    return pnstrdup(text, length);
}

}  // namespace freshcrm::explain
