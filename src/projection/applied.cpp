#include "projection/applied.hpp"

#include "projection/narrow.hpp"

extern "C" {
#include "utils/jsonb.h"
}

namespace freshcrm::projection {

namespace {

struct Words {
    Oid view;
    int others;  // its columns that are not of the key
    const Source* source;
    JsonbParseState* state;
};

// A view has no dropped columns.
int CountColumns(Oid view) {
    AttrNumber count = 0;
    while (get_attname(view, static_cast<AttrNumber>(count + 1), true) != nullptr) {
        ++count;
    }
    return count;
}

const char* How(const Words& words, const Effect& effect) {
    const Fallback* fallback = words.source->fallback;
    if (fallback != nullptr && fallback->query == nullptr) {
        return "all rows";
    }
    if (!IsNarrow(effect, words.others)) {
        return "whole row";
    }
    StringInfoData text;
    initStringInfo(&text);
    appendStringInfoString(&text, "narrow: ");
    const char* separator = "";
    for (int i = -1; (i = bms_next_member(effect.columns, i)) >= 0; separator = ", ") {
        appendStringInfo(
            &text, "%s%s", separator,
            quote_identifier(get_attname(words.view, static_cast<AttrNumber>(i), false)));
    }
    if (bms_is_empty(effect.columns)) {
        appendStringInfoString(&text, "no column");
    }
    return text.data;
}

void PushText(Words* words, JsonbIteratorToken token, const char* text) {
    JsonbValue value;
    value.type = jbvString;
    value.val.string.val = const_cast<char*>(text);
    value.val.string.len = static_cast<int>(strlen(text));
    (void)pushJsonbValue(&words->state, token, &value);
}

void PushPair(Words* words, const char* key, const Effect& effect) {
    PushText(words, WJB_KEY, key);
    PushText(words, WJB_VALUE, How(*words, effect));
}

}  // namespace

Datum Applied(const Lineage* lineage, const Source& source) {
    const Oid view = lineage->views[0];
    Words words{view, CountColumns(view) - lineage->key_count, &source, nullptr};
    (void)pushJsonbValue(&words.state, WJB_BEGIN_OBJECT, nullptr);
    PushPair(&words, "INSERT", source.of_rows);
    PushPair(&words, "DELETE", source.of_rows);
    PushText(&words, WJB_KEY, "UPDATE");
    (void)pushJsonbValue(&words.state, WJB_BEGIN_OBJECT, nullptr);
    for (int i = -1; (i = bms_next_member(source.watched, i)) >= 0;) {
        if (const char* name = get_attname(source.relid, static_cast<AttrNumber>(i), true)) {
            PushPair(&words, name, source.of_columns[i]);
        }
    }
    (void)pushJsonbValue(&words.state, WJB_END_OBJECT, nullptr);
    return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&words.state, WJB_END_OBJECT, nullptr)));
}

}  // namespace freshcrm::projection
