#include "projection/recompute.hpp"

#include "pg/datum.hpp"
#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "projection/apply.hpp"
#include "projection/counts.hpp"
#include "projection/flush.hpp"
#include "projection/links.hpp"
#include "projection/locks.hpp"
#include "projection/narrow.hpp"
#include "projection/patch_order.hpp"
#include "projection/statements.hpp"

extern "C" {
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// "a, b": the key's columns in the view.
const char* KeyNames(const Projection* projection) {
    StringInfoData names;
    initStringInfo(&names);
    for (int i = 0; i < projection->key_count; ++i) {
        appendStringInfo(
            &names, "%s%s", i > 0 ? ", " : "",
            NameStr(TupleDescAttr(projection->columns, projection->keys[i].attnum - 1)->attname));
    }
    return names.data;
}

const char* KeyValues(const Projection* projection, const Datum* key) {
    StringInfoData values;
    initStringInfo(&values);
    for (int i = 0; i < projection->key_count; ++i) {
        Oid output;
        bool is_varlena;
        getTypeOutputInfo(projection->keys[i].type, &output, &is_varlena);
        appendStringInfo(&values, "%s%s", i > 0 ? ", " : "", OidOutputFunctionCall(output, key[i]));
    }
    return values.data;
}

// How many keys one query is asked for, and how many rows a cursor is: what bounds the memory.
constexpr int kBatch = 1000;

// Works through the rows of a diff.
struct DiffReader {
    Projection* projection;
    bool null_is_key;  // a row that has the key on neither side is a NULL key, not a missing one
    Write write;
    Counts counts;
    DiffRow row;
    KeyChecker unique;
    NarrowDiff* narrow;  // null: whole rows are read
    KeySet* again;       // keys of which the whole row is still to be read; null: none
    CollectionDeltas* deltas;
};

void ReadAgain(DiffReader* reader, const Datum* key) {
    if (reader->again == nullptr) {
        reader->again = static_cast<KeySet*>(palloc(sizeof(KeySet)));
        *reader->again = MakeProjectionKeys(reader->projection, CurrentMemoryContext);
    }
    Add(reader->again, key);
}

// For collections: what the target holds, and what it will.
void NoteWrite(DiffReader* reader, bool before, bool after) {
    if (reader->deltas == nullptr) {
        return;
    }
    const DiffRow* row = &reader->row;
    const RowImage to{row->values, row->nulls, {row->tag, etag::kTagBytes - 1}};
    RowImage from{};
    if (before) {
        from = StoredImage(reader->projection, reader->narrow, row, BufferOf(reader->deltas));
    }
    NoteRow(reader->deltas, before ? &from : nullptr, after ? &to : nullptr);
}

void ApplyRow(DiffReader* reader) {
    Projection* projection = reader->projection;
    DiffRow* row = &reader->row;
    if (reader->narrow != nullptr && !IsReliable(projection, reader->narrow, row)) {
        if (row->in_view || row->in_target) {
            ReadAgain(reader, row->in_view ? row->view_key : row->target_key);
        }
        return;
    }
    if (!row->in_view) {
        if (row->in_target) {
            NoteWrite(reader, true, false);
            ApplyDelete(projection, row);
            ++reader->counts.deleted;
        } else if (reader->null_is_key) {
            RaiseNullKey(projection, 0);
        }
        return;
    }
    CheckUnique(&reader->unique, row->view_key);
    if (!row->in_target) {
        NoteWrite(reader, false, true);
        ApplyInsert(projection, row);
        ++reader->counts.inserted;
    } else if (reader->write == Write::kAlways || !SameTag(projection, row)) {
        NoteWrite(reader, true, true);
        ApplyUpdate(projection, row);
        ++reader->counts.updated;
    } else {
        ++reader->counts.unchanged;
    }
}

// Applies the rows of SPI_tuptable and frees them.
void ApplyRows(DiffReader* reader) {
    SPITupleTable* rows = SPI_tuptable;
    const uint64 count = SPI_processed;
    for (uint64 i = 0; i < count; ++i) {
        CHECK_FOR_INTERRUPTS();
        ReadDiffRow(reader->projection, &reader->row, rows->vals[i], rows->tupdesc);
        ApplyRow(reader);
    }
    SPI_freetuptable(rows);
}

void ApplyKeys(DiffReader* reader, KeySet* keys) {
    Projection* projection = reader->projection;
    NarrowDiff* narrow = reader->narrow;
    auto* arrays =
        static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(projection->key_count)));
    for (KeySet piece; NextPiece(keys, kBatch, &piece);) {
        if (piece.count == 1) {
            pg::Select(narrow != nullptr ? DiffOne(projection, narrow) : DiffOne(projection),
                       piece.values, nullptr);
            ApplyRows(reader);
        } else {
            ToArrays(&piece, arrays);
            pg::Select(narrow != nullptr ? DiffMany(projection, narrow) : DiffMany(projection),
                       arrays, nullptr);
            ApplyRows(reader);
            for (int i = 0; i < projection->key_count; ++i) {
                pfree(DatumGetPointer(arrays[i]));
            }
        }
        CountApplied(projection, narrow != nullptr ? Applied::kNarrow : Applied::kWholeRow,
                     static_cast<uint64>(piece.count));
    }
}

void ApplyKeysWith(DiffReader* reader, KeySet* keys, NarrowDiff* narrow) {
    reader->narrow = narrow;
    ApplyKeys(reader, keys);
    reader->narrow = nullptr;
    if (reader->again != nullptr) {
        SortUnique(reader->again);
        reader->unique = MakeKeyChecker(reader->projection);
        ApplyKeys(reader, reader->again);
    }
}

void ApplyAll(DiffReader* reader) {
    Portal portal = SPI_cursor_open(nullptr, DiffAll(reader->projection), nullptr, nullptr, true);
    for (SPI_cursor_fetch(portal, true, kBatch); SPI_processed > 0;
         SPI_cursor_fetch(portal, true, kBatch)) {
        ApplyRows(reader);
    }
    SPI_cursor_close(portal);
}

// Reads with the snapshot, or a fresh one.
template <typename Apply>
Counts Run(Projection* projection, Snapshot snapshot, bool null_is_key, Write write, Apply apply) {
    BeginWrite(projection);
    DiffReader reader{
        projection, null_is_key, write, {}, MakeDiffRow(projection), MakeKeyChecker(projection)};
    if (snapshot != nullptr) {
        PushActiveSnapshot(snapshot);
    } else {
        pg::PushFreshSnapshot();
    }
    reader.deltas = BeginDeltas(projection->collections);
    apply(&reader);
    ApplyDeltas(reader.deltas);
    PopActiveSnapshot();
    ++projection->recomputed;
    RememberFollowed();
    EndWrite();
    CountUnchanged(projection, static_cast<uint64>(reader.counts.unchanged));
    return reader.counts;
}

}  // namespace

KeySet MakeProjectionKeys(const Projection* projection, MemoryContext context) {
    return MakeKeySet(context, projection->key_shape);
}

namespace {

Counts Recompute(Projection* projection, KeySet* keys, Write write, const Effect& affected) {
    NarrowDiff* narrow =
        write == Write::kIfDifferent ? FindNarrowDiff(projection, affected) : nullptr;
    return Run(projection, nullptr, false, write,
               [&](DiffReader* reader) { ApplyKeysWith(reader, keys, narrow); });
}

}  // namespace

Counts RecomputeKeys(Projection* projection, KeySet* keys, Write write, const Effect& affected) {
    if (IsEmpty(keys)) {
        return Counts{};
    }
    LockHalfLinks(projection, keys);
    LockKeys(projection, keys);
    return Recompute(projection, keys, write, affected);
}

void RecomputeLocked(Projection* projection, KeySet* keys, const Effect& affected) {
    if (!IsEmpty(keys)) {
        SortUnique(keys);
        LockHalfLinks(projection, keys);
        (void)Recompute(projection, keys, Write::kIfDifferent, affected);
    }
}

void RecomputeAndPatch(Projection* projection, const List* changes, KeySet* keys,
                       PatchedKeys* patched, const Effect& affected) {
    if (!IsEmpty(keys)) {
        LockHalfLinks(projection, keys);
    }
    LockKeys(projection, keys, patched);
    if (!IsEmpty(keys)) {
        (void)Recompute(projection, keys, Write::kIfDifferent, affected);
    }
    KeySet again = MakeProjectionKeys(projection, CurrentMemoryContext);
    TracePatchesAgain(changes, patched, &again);
    ApplyPatches(projection, patched, &again);
    RecomputeLocked(projection, &again, affected);
}

Counts RecomputeAll(Projection* projection, Snapshot snapshot) {
    LockAllKeys(projection);
    const Counts counts = Run(projection, snapshot, true, Write::kIfDifferent, ApplyAll);
    CountApplied(projection, Applied::kEverything, 1);
    return counts;
}

void CheckNoNullKey(Projection* projection) {
    pg::PushFreshSnapshot();
    pg::Select(NullKey(projection), nullptr, nullptr);
    for (int i = 0; SPI_processed > 0 && i < projection->key_count; ++i) {
        bool isnull;
        if (DatumGetBool(
                SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &isnull))) {
            RaiseNullKey(projection, i);
        }
    }
    PopActiveSnapshot();
}

void RaiseNullKey(const Projection* projection, int key) {
    const auto* column = TupleDescAttr(projection->columns, projection->keys[key].attnum - 1);
    ereport(ERROR,
            (errcode(ERRCODE_NOT_NULL_VIOLATION),
             errmsg("key column \"%s\" of view %s is NULL in a row", NameStr(column->attname),
                    pg::RelationForMessage(projection->source)),
             errdetail("A projection finds its rows by the key, which must not be NULL."),
             errhint("Let the view leave out the rows without a key, or choose another key.")));
    pg_unreachable();
}

KeyChecker MakeKeyChecker(Projection* projection) {
    auto* previous =
        static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(projection->key_count)));
    return {
        projection, false, previous,
        AllocSetContextCreate(CurrentMemoryContext, "freshcrm previous key", ALLOCSET_SMALL_SIZES)};
}

void CheckUnique(KeyChecker* checker, const Datum* key) {
    Projection* projection = checker->projection;
    bool same = checker->has_previous;
    for (int i = 0; same && i < projection->key_count; ++i) {
        Key* column = &projection->keys[i];
        same = DatumGetInt32(FunctionCall2Coll(&column->compare, column->collation,
                                               checker->previous[i], key[i])) == 0;
    }
    if (same) {
        ereport(ERROR,
                (errcode(ERRCODE_CARDINALITY_VIOLATION),
                 errmsg("view %s returns more than one row for a key",
                        pg::RelationForMessage(projection->source)),
                 errdetail("Key (%s)=(%s) is not unique.", KeyNames(projection),
                           KeyValues(projection, key)),
                 errhint("Choose a key that is different in each row, or make the view return one "
                         "row for it.")));
    }
    MemoryContextReset(checker->context);
    MemoryContext caller = MemoryContextSwitchTo(checker->context);
    for (int i = 0; i < projection->key_count; ++i) {
        const Key& column = projection->keys[i];
        checker->previous[i] = pg::CopyFlat(key[i], column.by_value, column.length);
    }
    MemoryContextSwitchTo(caller);
    checker->has_previous = true;
}

}  // namespace freshcrm::projection
