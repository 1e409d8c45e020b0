#include "projection/applied.hpp"

#include "projection/narrow.hpp"
#include "projection/patch.hpp"

extern "C" {
#include "optimizer/optimizer.h"
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

// What a change of the column is patched as; null when it is not.
Bitmapset* PatchedBy(const Source& source, AttrNumber attnum) {
    const RowPatch* patch = source.patch;
    if (patch == nullptr || (patch->copies && bms_is_member(attnum, patch->fixed))) {
        return nullptr;
    }
    if (!patch->copies) {
        return bms_intersect(patch->effect.columns, source.of_columns[attnum].columns);
    }
    Bitmapset* columns = nullptr;
    for (int i = 0; i < patch->column_count; ++i) {
        Bitmapset* read = nullptr;
        pull_varattnos(reinterpret_cast<Node*>(patch->columns[i].value), 1, &read);
        if (bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, read)) {
            columns = bms_add_member(columns, patch->columns[i].column + 1);
        }
    }
    return columns;
}

// `patched`: the columns for which the changed row alone says it, or null.
const char* How(const Words& words, const Effect& effect, const Bitmapset* patched) {
    const Fallback* fallback = words.source->fallback;
    if (fallback != nullptr && fallback->query == nullptr) {
        return "all rows";
    }
    if (patched == nullptr && !IsNarrow(effect, words.others)) {
        return "whole row";
    }
    const Bitmapset* columns = patched != nullptr ? patched : effect.columns;
    StringInfoData text;
    initStringInfo(&text);
    appendStringInfoString(&text, patched != nullptr ? "patched: " : "narrow: ");
    const char* separator = "";
    for (int i = -1; (i = bms_next_member(columns, i)) >= 0; separator = ", ") {
        appendStringInfo(
            &text, "%s%s", separator,
            quote_identifier(get_attname(words.view, static_cast<AttrNumber>(i), false)));
    }
    if (bms_is_empty(columns)) {
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

void PushPair(Words* words, const char* key, const Effect& effect, const Bitmapset* patched) {
    PushText(words, WJB_KEY, key);
    PushText(words, WJB_VALUE, How(*words, effect, patched));
}

}  // namespace

Datum Applied(const Lineage* lineage, const Source& source) {
    const Oid view = lineage->views[0];
    Words words{view, CountColumns(view) - lineage->key_count, &source, nullptr};
    (void)pushJsonbValue(&words.state, WJB_BEGIN_OBJECT, nullptr);
    const RowPatch* patch = source.patch;
    const Bitmapset* of_rows = patch != nullptr && !patch->copies ? patch->effect.columns : nullptr;
    PushPair(&words, "INSERT", source.of_rows, of_rows);
    PushPair(&words, "DELETE", source.of_rows,
             patch != nullptr && patch->grouped && patch->rows < 0 ? nullptr : of_rows);
    PushText(&words, WJB_KEY, "UPDATE");
    (void)pushJsonbValue(&words.state, WJB_BEGIN_OBJECT, nullptr);
    for (int i = -1; (i = bms_next_member(source.watched, i)) >= 0;) {
        if (const char* name = get_attname(source.relid, static_cast<AttrNumber>(i), true)) {
            PushPair(&words, name, source.of_columns[i],
                     PatchedBy(source, static_cast<AttrNumber>(i)));
        }
    }
    (void)pushJsonbValue(&words.state, WJB_END_OBJECT, nullptr);
    return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&words.state, WJB_END_OBJECT, nullptr)));
}

}  // namespace freshcrm::projection
