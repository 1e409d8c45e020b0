#include "projection/trace.hpp"

#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "projection/mapping.hpp"
#include "projection/user_mapping.hpp"

extern "C" {
#include "parser/parse_coerce.h"
}

#include <climits>

namespace freshcrm::projection {

namespace {

// Where the rows of a mapping query go.
struct KeySink {
    Changes* changes;
    KeySet* keys;
};

void CheckTypes(void* arg, TupleDesc desc) {
    const auto* sink = static_cast<KeySink*>(arg);
    for (int i = 0; i < sink->keys->width; ++i) {
        const Oid type = TupleDescAttr(desc, i)->atttypid;
        if (!IsBinaryCoercible(type, getBaseType(sink->keys->columns[i].type))) {
            elog(ERROR, "a mapping query of projection %s returns type %u for a key of type %u",
                 sink->changes->projection->name, type, sink->keys->columns[i].type);
        }
    }
}

void AddKey(void* arg, TupleTableSlot* slot) {
    const auto* sink = static_cast<KeySink*>(arg);
    slot_getallattrs(slot);
    for (int i = 0; i < sink->keys->width; ++i) {
        if (slot->tts_isnull[i]) {
            sink->changes->null_key = true;
            return;
        }
    }
    Add(sink->keys, slot->tts_values);
}

void AddKeysOf(SPIPlanPtr plan, Datum* values, Changes* changes, KeySet* keys) {
    KeySink sink{changes, keys};
    pg::SelectEach(plan, values, {CheckTypes, AddKey, &sink});
}

// The keys in the target whose known part is that of the starts.
SPIPlanPtr KnownKeysPlan(const Projection* projection, Path* path) {
    if (path->plan_known != nullptr) {
        return path->plan_known;
    }
    StringInfoData sql;
    StringInfoData where;
    initStringInfo(&sql);
    initStringInfo(&where);
    auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(path->start_count)));
    for (int i = 0; i < path->start_count; ++i) {
        types[i] = get_array_type(path->starts[i].type);
    }
    const char* separator = " WHERE ";
    for (int i = 0; i < projection->key_count; ++i) {
        const Key& key = projection->keys[i];
        appendStringInfo(&sql, "%st.%s", i > 0 ? ", " : "SELECT DISTINCT ",
                         quote_identifier(key.name));
        if (path->known_keys[i] >= 0) {
            appendStringInfo(&where, "%st.%s%s %s c.s%d%s", separator, quote_identifier(key.name),
                             key.cast, key.equals, path->known_keys[i], key.cast);
            separator = " AND ";
        }
    }
    appendStringInfo(&sql, " FROM ONLY %s AS t, %s%s", pg::QualifiedRelation(projection->target),
                     StartRows(*path), where.data);
    path->plan_known = pg::PrepareKept(sql.data, path->start_count, types, projection->context);
    return path->plan_known;
}

// The starts are the keys, in another order of columns perhaps.
void AddDirect(const Path* path, const KeySet* starts, KeySet* keys) {
    auto* key = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(keys->width)));
    for (int i = 0; i < starts->count; ++i) {
        for (int j = 0; j < keys->width; ++j) {
            key[j] = Tuple(starts, i)[path->key_starts[j]];
        }
        Add(keys, key);
    }
    pfree(key);
}

void AddMapped(Changes* changes, Path* path, const KeySet* starts, KeySet* keys) {
    if (starts->count == 1) {
        AddKeysOf(MappingPlan(changes->projection, path, false), starts->values, changes, keys);
        if (path->known_keys == nullptr) {
            return;
        }
    }
    auto* arrays = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(starts->width)));
    ToArrays(starts, arrays);
    if (starts->count > 1) {
        AddKeysOf(MappingPlan(changes->projection, path, true), arrays, changes, keys);
    }
    if (path->known_keys != nullptr) {
        AddKeysOf(KnownKeysPlan(changes->projection, path), arrays, changes, keys);
    }
    for (int i = 0; i < starts->width; ++i) {
        pfree(DatumGetPointer(arrays[i]));
    }
    pfree(arrays);
}

}  // namespace

SPIPlanPtr MappingPlan(const Projection* projection, Path* path, bool many) {
    SPIPlanPtr* plan = many ? &path->plan_many : &path->plan_one;
    if (*plan == nullptr) {
        auto* types = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(path->start_count)));
        for (int i = 0; i < path->start_count; ++i) {
            const Oid type = path->starts[i].type;
            types[i] = many ? get_array_type(type) : type;
        }
        *plan = pg::PrepareKept(many ? path->query_many : path->query_one, path->start_count, types,
                                projection->context);
    }
    return *plan;
}

void MapChangedRows(Changes* changes) {
    KeySink sink{changes, &changes->keys};
    RunUserMapping(changes->projection, changes->source, changes->rows,
                   {CheckTypes, AddKey, &sink});
    tuplestore_clear(changes->rows);
}

void TraceKeys(Changes* changes, KeySet* keys) {
    if (changes->rows != nullptr && tuplestore_tuple_count(changes->rows) > 0) {
        MapChangedRows(changes);
    }
    SortUnique(&changes->keys);
    for (KeySet piece; NextPiece(&changes->keys, INT_MAX, &piece);) {
        for (int i = 0; i < piece.count; ++i) {
            Add(keys, Tuple(&piece, i));
        }
    }
    for (int i = 0; i < changes->source->path_count; ++i) {
        Path* path = &changes->source->paths[i];
        KeySet* starts = &changes->starts[i];
        SortUnique(starts);
        for (KeySet piece; NextPiece(starts, INT_MAX, &piece);) {
            if (path->direct()) {
                AddDirect(path, &piece, keys);
            } else {
                AddMapped(changes, path, &piece, keys);
            }
        }
    }
}

}  // namespace freshcrm::projection
