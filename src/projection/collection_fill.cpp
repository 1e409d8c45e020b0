#include "projection/collection_fill.hpp"

#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "projection/collection_deltas.hpp"
#include "projection/collection_slots.hpp"
#include "projection/definition.hpp"
#include "projection/flush.hpp"
#include "projection/options.hpp"

#include <cstring>

extern "C" {
#include "access/table.h"
#include "access/tableam.h"
#include "storage/lmgr.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// Calls `row` with each row of the target that the snapshot sees.
template <typename Row>
void EachTargetRow(const CollectionSource* source, const Collections* collections,
                   Snapshot snapshot, Row row) {
    Relation table = table_open(source->target, AccessShareLock);
    const AttrNumber tag = get_attnum(source->target, kVersionEtag);
    TableScanDesc scan = table_beginscan(table, snapshot, 0, nullptr);
    TupleTableSlot* slot = table_slot_create(table, nullptr);
    const auto columns = static_cast<Size>(collections->view_columns);
    auto* values = static_cast<Datum*>(palloc0(sizeof(Datum) * columns));
    auto* nulls = static_cast<bool*>(palloc0(sizeof(bool) * columns));
    while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
        CHECK_FOR_INTERRUPTS();
        for (int i = 0; i < collections->count; ++i) {
            const Collection& collection = collections->items[i];
            for (int j = 0; j < collection.count; ++j) {
                const ScopeColumn& column = collection.columns[j];
                values[column.column] = slot_getattr(slot, column.attnum, &nulls[column.column]);
            }
        }
        bool isnull;
        const Datum stored = slot_getattr(slot, tag, &isnull);
        row(RowImage{values, nulls, TagText(stored, isnull)});
    }
    ExecDropSingleTupleTableSlot(slot);
    table_endscan(scan);
    table_close(table, NoLock);
}

// A user's trigger in the middle of a write would have rows counted twice, or not at all. Writers
// are kept out first: two who held the weaker lock would wait for each other.
template <typename Body>
void BetweenWrites(int32 projection, Body body) {
    BeginWrite(OpenProjection(projection));
    body();
    EndWrite();
}

void FillSlots(const CollectionSource* source, const Collections* collections) {
    for (int i = 0; i < collections->count; ++i) {
        RemoveSlots(collections->items[i].id);
    }
    Snapshot snapshot = pg::RegisterFreshSnapshot();
    PushActiveSnapshot(snapshot);
    CollectionDeltas* deltas = BeginDeltas(collections);
    EachTargetRow(source, collections, snapshot,
                  [&](const RowImage& row) { NoteRow(deltas, nullptr, &row); });
    ApplyDeltas(deltas);
    PopActiveSnapshot();
    UnregisterSnapshot(snapshot);
    for (int i = 0; i < collections->count; ++i) {
        MarkFilled(collections->items[i].id);
    }
}

// In the view's order.
ScopeColumn* NamedColumns(const CollectionSource* source, const List* names) {
    Bitmapset* numbers = nullptr;
    ListCell* cell;
    foreach (cell, names) {
        const auto* name = static_cast<char*>(lfirst(cell));
        const int number = FindScopeColumn(source, name);
        if (bms_is_member(number, numbers)) {
            ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
                            errmsg("column \"%s\" is named more than once", name)));
        }
        numbers = bms_add_member(numbers, number);
    }
    auto* columns = static_cast<int*>(palloc(sizeof(int) * (list_length(names) + 1)));
    int count = 0;
    for (int i = -1; (i = bms_next_member(numbers, i)) >= 0;) {
        columns[count++] = i;
    }
    return FindScopeColumns(source, columns, count);
}

void CheckTypes(const Collection& collection) {
    if (collection.count > INDEX_MAX_KEYS) {
        ereport(ERROR, (errcode(ERRCODE_TOO_MANY_COLUMNS),
                        errmsg("a scope can have %d columns at most", INDEX_MAX_KEYS)));
    }
    for (int i = 0; i < collection.count; ++i) {
        const ScopeColumn& column = collection.columns[i];
        if (!IsScopeType(column.type, column.collation)) {
            ereport(ERROR,
                    (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                     errmsg("the tag of collections cannot be kept by column \"%s\"", column.name),
                     errdetail("Values of type %s can be equal and yet not the same, as 1.0 and "
                               "1.00 are.",
                               format_type_be(column.type)),
                     errhint("Keep it by other columns. freshcrm.collection_etag() computes it for "
                             "scopes of any column.")));
        }
    }
}

void CheckKeepable(const Definition* definition) {
    const char* name = pg::RelationForMessage(definition->target);
    if (IsRestored(definition)) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("projection %s is not maintained", name),
                        errdetail("It was restored and has not been compared with its view since."),
                        errhint("Call freshcrm.verify_projection() with repair.")));
    }
    if (DirectWritesOption(definition->options)) {
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("the tag of collections of projection %s cannot be kept", name),
                 errdetail("Its option direct_writes lets others write to its table unseen."),
                 errhint("Take the option away with freshcrm.alter_projection().")));
    }
}

bool AnyUnfilled(Oid target) {
    const CollectionSource* source = FindCollectionSource(target);
    const Collections* all = LoadCollections(source, Which::kAll);
    const Collections* filled = LoadCollections(source, Which::kFilled);
    return all != nullptr && (filled == nullptr || filled->count < all->count);
}

// What a check adds up: for each scope its hash as often as a factor of that scope says.
struct Check {
    std::uint8_t nonce[16];
    core::MultisetHash* of_rows;  // one a collection
    core::MultisetHash of_slots;
};

// Odd, so that no part of a hash is lost.
std::uint64_t Factor(const Check* check, const ScopeKey& scope) {
    core::Sha256 hash;
    hash.Update(check->nonce, sizeof(check->nonce));
    hash.Update(scope.bytes, sizeof(scope.bytes));
    std::uint64_t factor;
    std::memcpy(&factor, hash.Finish().data(), sizeof(factor));
    return factor | 1;
}

void CheckRow(Check* check, const Collections* collections, const RowImage& row) {
    core::MultisetHash element{};
    element.Add(core::ElementOf(collections->secret, row.tag));
    for (int i = 0; i < collections->count; ++i) {
        const Collection& collection = collections->items[i];
        const ScopeKey scope = KeyOf(collection, row);
        check->of_rows[i].Merge(element, Factor(check, scope));
    }
}

void AddSlot(void* arg, const ScopeKey& scope, const core::MultisetHash& hash) {
    auto* check = static_cast<Check*>(arg);
    check->of_slots.Merge(hash, Factor(check, scope));
}

}  // namespace

void CreateCollection(Oid target, const List* names) {
    (void)FindOwned(target);
    LockRelationOid(target, ShareRowExclusiveLock);
    CheckKeepable(FindOwned(target));
    const CollectionSource* source = FindCollectionSource(target);
    Collection collection{0, list_length(names), NamedColumns(source, names)};
    CheckTypes(collection);
    BetweenWrites(source->projection, [&] {
        if (FindCollection(source->projection, collection.columns, collection.count, nullptr) !=
            0) {
            ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
                            errmsg("the tag of these collections of projection %s is kept already",
                                   pg::RelationForMessage(target))));
        }
        collection.id = AddCollection(source->projection, collection.columns, collection.count);
        Collections collections{};
        std::memcpy(collections.secret, source->secret, core::kSecretBytes);
        collections.count = 1;
        collections.items = &collection;
        collections.view_columns = list_length(source->columns);
        FillSlots(source, &collections);
        ForgetLoaded(target);
    });
}

void DropCollection(Oid target, const List* names) {
    (void)FindOwned(target);
    LockRelationOid(target, ShareRowExclusiveLock);
    const CollectionSource* source = FindCollectionSource(target);
    const ScopeColumn* columns = NamedColumns(source, names);
    BetweenWrites(source->projection, [&] {
        const int32 id = FindCollection(source->projection, columns, list_length(names), nullptr);
        if (id == 0) {
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                            errmsg("the tag of these collections of projection %s is not kept",
                                   pg::RelationForMessage(target)),
                            errhint("The view freshcrm.collections lists those that are.")));
        }
        RemoveCollection(id);
        ForgetLoaded(target);
    });
}

void FillCollections(Oid target) {
    LockRelationOid(target, ShareRowExclusiveLock);
    const CollectionSource* source = FindCollectionSource(target);
    const Collections* collections = LoadCollections(source, Which::kAll);
    if (collections != nullptr) {
        FillSlots(source, collections);
        ForgetLoaded(target);
    }
}

void RefuseWithCollections(Oid target) {
    if (LoadCollections(FindCollectionSource(target), Which::kAll) != nullptr) {
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("others cannot be let write to the table of projection %s",
                        pg::RelationForMessage(target)),
                 errdetail("The tags of its collections are kept, and would miss such writes."),
                 errhint("Call freshcrm.drop_collection_etag() for each of them first.")));
    }
}

void MendCollections(const Projection* projection, WrongCollection wrong, void* arg) {
    struct Found {
        WrongCollection wrong;
        void* arg;
        bool any;
    };
    Found found{wrong, arg, false};
    CheckCollections(
        projection->target,
        [](void* of, const Collection& collection) {
            auto* noting = static_cast<Found*>(of);
            noting->any = true;
            noting->wrong(noting->arg, collection);
        },
        &found);
    if (found.any || AnyUnfilled(projection->target)) {
        LockRelationOid(projection->target, ShareRowExclusiveLock);
        BetweenWrites(projection->id, [&] { FillCollections(projection->target); });
    }
}

void CheckCollections(Oid target, WrongCollection wrong, void* arg) {
    const CollectionSource* source = FindCollectionSource(target);
    const Collections* collections = LoadCollections(source, Which::kFilled);
    if (collections == nullptr) {
        return;
    }
    Check check{};
    if (!pg_strong_random(check.nonce, sizeof(check.nonce))) {
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not get random bytes")));
    }
    check.of_rows = static_cast<core::MultisetHash*>(
        palloc0(sizeof(core::MultisetHash) * static_cast<Size>(collections->count)));
    Snapshot snapshot = pg::RegisterFreshSnapshot();
    MemoryContext row =
        AllocSetContextCreate(CurrentMemoryContext, "freshcrm scope", ALLOCSET_SMALL_SIZES);
    EachTargetRow(source, collections, snapshot, [&](const RowImage& image) {
        MemoryContext caller = MemoryContextSwitchTo(row);
        CheckRow(&check, collections, image);
        MemoryContextSwitchTo(caller);
        MemoryContextReset(row);
    });
    MemoryContextDelete(row);
    for (int i = 0; i < collections->count; ++i) {
        check.of_slots = {};
        const int32 id = collections->items[i].id;
        EachSlot(id, snapshot, AddSlot, &check);
        // A standby may have seen it dropped since.
        if (FindFill(id, snapshot) == Fill::kNone) {
            continue;
        }
        if (check.of_slots.rows != check.of_rows[i].rows ||
            check.of_slots.sum != check.of_rows[i].sum) {
            wrong(arg, collections->items[i]);
        }
    }
    UnregisterSnapshot(snapshot);
}

}  // namespace freshcrm::projection
