#include "refresh/fingerprint.hpp"

#include "refresh/settings_read.hpp"

extern "C" {
#include "catalog/pg_enum.h"
#include "utils/catcache.h"
#include "utils/guc.h"
#include "utils/syscache.h"
}

#include <algorithm>

namespace freshcrm::refresh {

namespace {

// Sorted, so that the order in which the query calls them does not matter.
List* Sorted(const List* oids) {
    List* copy = list_copy(oids);
    list_sort(copy, list_oid_cmp);
    return copy;
}

}  // namespace

Fingerprint::Fingerprint() {
    AddText("freshcrm definition 1");
    AddText(GetConfigOption("server_version_num", false, false));
}

void Fingerprint::AddInteger(uint64 value) {
    const uint64 bytes = core::BigEndian(value);
    hash_.Update(&bytes, sizeof(bytes));
}

void Fingerprint::AddText(const char* value) {
    const Size size = strlen(value);
    AddInteger(size);
    hash_.Update(value, size);
}

// The place counts, too: one transaction may change a row twice.
void Fingerprint::AddRow(Oid object, HeapTuple row) {
    AddInteger(object);
    AddInteger(HeapTupleHeaderGetRawXmin(row->t_data));
    AddInteger(ItemPointerGetBlockNumberNoCheck(&row->t_self));
    AddInteger(ItemPointerGetOffsetNumberNoCheck(&row->t_self));
}

void Fingerprint::AddList(const List* oids) {
    AddInteger(static_cast<uint64>(list_length(oids)));
    ListCell* cell;
    foreach (cell, oids) {
        AddInteger(lfirst_oid(cell));
    }
}

void Fingerprint::AddOutside(const Outside& outside) {
    ListCell* cell;
    AddInteger(static_cast<uint64>(list_length(outside.functions)));
    foreach (cell, Sorted(outside.functions)) {
        HeapTuple row = SearchSysCache1(PROCOID, ObjectIdGetDatum(lfirst_oid(cell)));
        if (HeapTupleIsValid(row)) {
            AddRow(lfirst_oid(cell), row);
            ReleaseSysCache(row);
        }
    }
    AddInteger(static_cast<uint64>(list_length(outside.enums)));
    foreach (cell, Sorted(outside.enums)) {
        CatCList* labels = SearchSysCacheList1(ENUMTYPOIDNAME, ObjectIdGetDatum(lfirst_oid(cell)));
        AddInteger(lfirst_oid(cell));
        AddInteger(static_cast<uint64>(labels->n_members));
        for (int i = 0; i < labels->n_members; ++i) {
            HeapTuple row = &labels->members[i]->tuple;
            AddRow(reinterpret_cast<Form_pg_enum>(GETSTRUCT(row))->oid, row);
        }
        ReleaseCatCacheList(labels);
    }
    AddInteger(outside.settings);
    for (int i = 0; i < kSettings; ++i) {
        if ((outside.settings & (1U << i)) != 0) {
            const char* value = GetConfigOption(SettingName(i), false, false);
            AddText(value != nullptr ? value : "");
        }
    }
}

}  // namespace freshcrm::refresh
