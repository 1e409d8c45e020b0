#include "projection/recompute.hpp"

#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "projection/apply.hpp"
#include "projection/locks.hpp"
#include "projection/statements.hpp"

extern "C" {
#include "utils/datum.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// How many keys one query is asked for, and how many rows a cursor is: what bounds the memory.
constexpr int kBatch = 1000;

// Works through the rows of a diff.
struct DiffReader {
    Projection* projection;
    bool null_is_key;  // a row that has the key on neither side is a NULL key, not a missing one
    Write write;
    uint64 run;  // the value of Projection::runs that this run began with
    Counts counts;
    DiffRow row;
    KeyChecker unique;
};

DiffReader Begin(Projection* projection, bool null_is_key, Write write) {
    return {projection,
            null_is_key,
            write,
            ++*projection->runs,
            {},
            MakeDiffRow(projection),
            MakeKeyChecker(projection)};
}

// What is being read is out of date: writing a row fired a trigger that recomputed the same
// projection.
bool Overtaken(const DiffReader* reader) {
    return reader->run != *reader->projection->runs;
}

void ApplyRow(DiffReader* reader) {
    Projection* projection = reader->projection;
    DiffRow* row = &reader->row;
    if (!row->in_view) {
        if (row->in_target) {
            ApplyDelete(projection, row);
            ++reader->counts.deleted;
        } else if (reader->null_is_key) {
            RaiseNullKey(projection);
        }
        return;
    }
    CheckUnique(&reader->unique, row->values[projection->lineage->key - 1]);
    if (!row->in_target) {
        ApplyInsert(projection, row);
        ++reader->counts.inserted;
    } else if (reader->write == Write::kAlways || !SameTag(projection, row)) {
        ApplyUpdate(projection, row);
        ++reader->counts.updated;
    } else {
        ++reader->counts.unchanged;
    }
}

// Applies the rows of SPI_tuptable and frees them. Stops when overtaken.
void ApplyRows(DiffReader* reader) {
    SPITupleTable* rows = SPI_tuptable;
    const uint64 count = SPI_processed;
    for (uint64 i = 0; i < count && !Overtaken(reader); ++i) {
        CHECK_FOR_INTERRUPTS();
        ReadDiffRow(reader->projection, &reader->row, rows->vals[i], rows->tupdesc);
        ApplyRow(reader);
    }
    SPI_freetuptable(rows);
}

void ApplyKeys(DiffReader* reader, const KeySet* keys) {
    Projection* projection = reader->projection;
    if (keys->count == 1) {
        pg::Select(DiffOne(projection), &keys->values[0], nullptr);
        ApplyRows(reader);
        return;
    }
    for (int first = 0; first < keys->count && !Overtaken(reader); first += kBatch) {
        Datum array = ToArray(keys, first, Min(kBatch, keys->count - first));
        pg::Select(DiffMany(projection), &array, nullptr);
        ApplyRows(reader);
        pfree(DatumGetPointer(array));
    }
}

void ApplyAll(DiffReader* reader) {
    Portal portal = SPI_cursor_open(nullptr, DiffAll(reader->projection), nullptr, nullptr, true);
    do {
        SPI_cursor_fetch(portal, true, kBatch);
        if (SPI_processed == 0) {
            break;
        }
        ApplyRows(reader);
    } while (!Overtaken(reader));
    SPI_cursor_close(portal);
}

// Reads and applies; again when overtaken, since rows read before are then out of date. What was
// written in the first round is unchanged in the second, so it counts once.
template <typename Apply>
Counts Run(Projection* projection, bool null_is_key, Write write, Apply apply) {
    Counts counts{};
    for (bool done = false; !done;) {
        DiffReader reader = Begin(projection, null_is_key, write);
        pg::PushFreshSnapshot();
        apply(&reader);
        PopActiveSnapshot();
        done = !Overtaken(&reader);
        counts.inserted += reader.counts.inserted;
        counts.updated += reader.counts.updated;
        counts.deleted += reader.counts.deleted;
        counts.unchanged = reader.counts.unchanged;
    }
    return counts;
}

}  // namespace

Counts RecomputeKeys(Projection* projection, const KeySet* keys, Write write) {
    if (keys->count == 0) {
        return Counts{};
    }
    LockKeys(projection, keys);
    return Run(projection, false, write, [&](DiffReader* reader) { ApplyKeys(reader, keys); });
}

Counts RecomputeAll(Projection* projection) {
    LockAllKeys(projection);
    return Run(projection, true, Write::kIfDifferent, ApplyAll);
}

void CheckNoNullKey(Projection* projection) {
    pg::PushFreshSnapshot();
    pg::Select(NullKey(projection), nullptr, nullptr);
    if (SPI_processed > 0) {
        RaiseNullKey(projection);
    }
    PopActiveSnapshot();
}

void RaiseNullKey(const Projection* projection) {
    ereport(ERROR,
            (errcode(ERRCODE_NOT_NULL_VIOLATION),
             errmsg("key column \"%s\" of view %s is NULL in a row", projection->key,
                    pg::RelationForMessage(projection->source)),
             errdetail("A projection finds its rows by the key, which must not be NULL."),
             errhint("Let the view leave out the rows without a key, or choose another key.")));
    pg_unreachable();
}

KeyChecker MakeKeyChecker(Projection* projection) {
    return {
        projection, false, Datum{0},
        AllocSetContextCreate(CurrentMemoryContext, "freshcrm previous key", ALLOCSET_SMALL_SIZES)};
}

void CheckUnique(KeyChecker* checker, Datum key) {
    Projection* projection = checker->projection;
    const Lineage* lineage = projection->lineage;
    if (checker->has_previous &&
        DatumGetInt32(FunctionCall2Coll(&projection->key_compare, lineage->key_collation,
                                        checker->previous, key)) == 0) {
        Oid output;
        bool is_varlena;
        getTypeOutputInfo(lineage->key_type, &output, &is_varlena);
        ereport(ERROR,
                (errcode(ERRCODE_CARDINALITY_VIOLATION),
                 errmsg("view %s returns more than one row for a key",
                        pg::RelationForMessage(projection->source)),
                 errdetail("Key (%s)=(%s) is not unique.", projection->key,
                           OidOutputFunctionCall(output, key)),
                 errhint("Choose a key that is different in each row, or make the view return one "
                         "row for it.")));
    }
    MemoryContextReset(checker->context);
    MemoryContext caller = MemoryContextSwitchTo(checker->context);
    checker->previous = projection->key_length == -1
                            ? PointerGetDatum(PG_DETOAST_DATUM_COPY(key))
                            : datumCopy(key, projection->key_by_value, projection->key_length);
    MemoryContextSwitchTo(caller);
    checker->has_previous = true;
}

}  // namespace freshcrm::projection
