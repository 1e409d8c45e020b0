// Lists as text.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
}

namespace freshcrm::pg {

// `item(i)`, a C string, for 0 <= i < count, with `separator` between them; palloc'ed.
template <typename Item>
const char* Join(int count, const char* separator, Item item) {
    StringInfoData list;
    initStringInfo(&list);
    for (int i = 0; i < count; ++i) {
        appendStringInfo(&list, "%s%s", i > 0 ? separator : "", item(i));
    }
    return list.data;
}

// Of a list of C strings: `item(name)` for each.
template <typename Item>
const char* JoinNames(const List* names, const char* separator, Item item) {
    return Join(list_length(names), separator,
                [&](int i) { return item(static_cast<const char*>(list_nth(names, i))); });
}

}  // namespace freshcrm::pg
