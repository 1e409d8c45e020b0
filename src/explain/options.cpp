#include "explain/options.hpp"

namespace freshcrm::explain {

namespace {

struct Switch {
    const char* name;
    bool Options::*member;
};
constexpr Switch kSwitches[] = {
    {"analyze", &Options::analyze}, {"verbose", &Options::verbose},   {"costs", &Options::costs},
    {"buffers", &Options::buffers}, {"wal", &Options::wal},           {"timing", &Options::timing},
    {"summary", &Options::summary}, {"settings", &Options::settings},
};

struct Format {
    const char* name;
    ExplainFormat format;
};
constexpr Format kFormats[] = {
    {"text", EXPLAIN_FORMAT_TEXT},
    {"json", EXPLAIN_FORMAT_JSON},
    {"xml", EXPLAIN_FORMAT_XML},
    {"yaml", EXPLAIN_FORMAT_YAML},
};

[[noreturn]] void RaiseOption(const char* message, const char* hint) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", message), errhint("%s", hint)));
    pg_unreachable();
}

bool Equals(const JsonbValue& string, const char* word) {
    return string.val.string.len == static_cast<int>(strlen(word)) &&
           memcmp(string.val.string.val, word, strlen(word)) == 0;
}

ExplainFormat ReadFormat(const JsonbValue& value) {
    for (const Format& format : kFormats) {
        if (value.type == jbvString && Equals(value, format.name)) {
            return format.format;
        }
    }
    RaiseOption("option format must be text, json, xml or yaml", "The default is text.");
}

void Read(const JsonbValue& name, const JsonbValue& value, Options* options) {
    if (Equals(name, "format")) {
        options->format = ReadFormat(value);
        return;
    }
    for (const Switch& known : kSwitches) {
        if (Equals(name, known.name)) {
            if (value.type != jbvBool) {
                RaiseOption(psprintf("option %s must be true or false", known.name),
                            "Write, for instance, {\"analyze\": true}.");
            }
            options->*known.member = value.val.boolean;
            return;
        }
    }
    RaiseOption(psprintf("unknown option \"%.*s\"", name.val.string.len, name.val.string.val),
                "The options are analyze, verbose, costs, buffers, wal, timing, summary, settings "
                "and format.");
}

void ReadMembers(const Jsonb* json, Options* options) {
    if (!JB_ROOT_IS_OBJECT(json)) {
        RaiseOption("options must be a JSON object", "Write, for instance, {\"analyze\": true}.");
    }
    JsonbIterator* iterator = JsonbIteratorInit(const_cast<JsonbContainer*>(&json->root));
    JsonbValue name{};
    JsonbValue value;
    for (JsonbIteratorToken token;
         (token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE;) {
        if (token == WJB_KEY) {
            name = value;
        } else if (token == WJB_VALUE) {
            Read(name, value, options);
        }
    }
}

}  // namespace

Options ReadOptions(const Jsonb* json) {
    Options options;
    if (json != nullptr) {
        ReadMembers(json, &options);
    }
    // What only a run can show.
    options.buffers = options.buffers && options.analyze;
    options.wal = options.wal && options.analyze;
    options.timing = options.timing && options.analyze;
    options.summary = options.summary && options.analyze;
    return options;
}

int InstrumentOptions(const Options& options) {
    if (!options.analyze) {
        return 0;
    }
    return (options.timing ? INSTRUMENT_TIMER : INSTRUMENT_ROWS) |
           (options.buffers ? INSTRUMENT_BUFFERS : 0) | (options.wal ? INSTRUMENT_WAL : 0);
}

ExplainState* MakePrinter(const Options& options) {
    ExplainState* printer = NewExplainState();
    printer->analyze = options.analyze;
    printer->verbose = options.verbose;
    printer->costs = options.costs;
    printer->buffers = options.buffers;
    printer->wal = options.wal;
    printer->timing = options.timing;
    printer->summary = options.summary;
    printer->settings = options.settings;
    printer->format = options.format;
    return printer;
}

}  // namespace freshcrm::explain
