#include "projection/projection.hpp"

#include "pg/entry.hpp"
#include "pg/names.hpp"
#include "projection/collection.hpp"
#include "projection/counts.hpp"
#include "projection/definition.hpp"
#include "projection/dependencies.hpp"
#include "projection/options.hpp"
#include "projection/target_writer.hpp"

extern "C" {
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
}

namespace freshcrm::projection {

namespace {

struct CacheEntry {
    int32 id;  // hash key
    Projection* projection;
};

HTAB* cache = nullptr;

// Counts invalidations, so that one that comes while a projection is being loaded is not missed.
uint64 changes = 0;

bool DependsOn(const Projection* projection, Oid relid) {
    if (relid == projection->target) {
        return true;
    }
    for (int i = 0; i < projection->lineage->source_count; ++i) {
        if (projection->lineage->sources[i].relid == relid) {
            return true;
        }
    }
    for (int i = 0; i < projection->lineage->view_count; ++i) {
        if (projection->lineage->views[i] == relid) {
            return true;
        }
    }
    return false;
}

// `relid` is invalid when all relations may have changed.
void OnRelationChange(Oid relid) {
    ++changes;
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, cache);
    while (auto* entry = static_cast<CacheEntry*>(hash_seq_search(&scan))) {
        Projection* projection = entry->projection;
        if (projection != nullptr && (!OidIsValid(relid) || DependsOn(projection, relid))) {
            projection->valid = false;
        }
    }
}

// A schema or an operator was renamed: statements name them.
void OnNameChange(Datum, int, uint32) {
    pg::EnterWithoutFailing([] { OnRelationChange(InvalidOid); });
}

[[noreturn]] void RaiseNoProjection(int32 id) {
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("projection %d does not exist", id),
             errdetail("A trigger or a call names a projection that freshcrm.projection lacks."),
             errhint("Drop the trigger, or restore the contents of freshcrm.projection.")));
    pg_unreachable();
}

[[noreturn]] void RaiseMisfit(const Projection* projection, const char* detail, const char* hint) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("table %s no longer fits the view %s", projection->name,
                           pg::RelationForMessage(projection->source)),
                    errdetail("%s", detail), errhint("%s", hint)));
    pg_unreachable();
}

// For every column of the view the target must have one of the same type.
void FindStoredColumns(Projection* projection, const List* names) {
    const int count = projection->columns->natts;
    if (list_length(names) != count) {
        RaiseMisfit(projection, "The view has columns that the table lacks.",
                    "Drop the projection and create it again.");
    }
    projection->stored_names =
        static_cast<const char**>(palloc(sizeof(char*) * static_cast<Size>(count)));
    for (int i = 0; i < count; ++i) {
        const auto* column = TupleDescAttr(projection->columns, i);
        const char* name = pstrdup(static_cast<char*>(list_nth(names, i)));
        projection->stored_names[i] = name;
        const AttrNumber attnum = get_attnum(projection->target, name);
        Oid type = InvalidOid;
        int32 typmod = -1;
        Oid collation = InvalidOid;
        if (attnum != InvalidAttrNumber) {
            get_atttypetypmodcoll(projection->target, attnum, &type, &typmod, &collation);
        }
        if (type != column->atttypid || typmod != column->atttypmod ||
            collation != column->attcollation) {
            RaiseMisfit(
                projection,
                psprintf("Column \"%s\" of the table is missing or has another type than that of "
                         "the view.",
                         name),
                "Drop the projection and create it again.");
        }
    }
}

// What the view computes is computed as its owner. With another owner of the target, who can change
// the view could act as who owns the target.
void FindOwner(Projection* projection) {
    projection->owner = pg::OwnerOfRelation(projection->target);
    const Oid view_owner = pg::OwnerOfRelation(projection->source);
    if (!OidIsValid(projection->owner) || !OidIsValid(view_owner)) {
        RaiseNoProjection(projection->id);
    }
    if (projection->owner != view_owner) {
        RaiseMisfit(projection, "The view and the table have different owners.",
                    "Give both the same owner.");
    }
}

Key LoadKey(const char* name, const KeyColumn& column, MemoryContext context) {
    Key key{};
    key.name = name;
    key.attnum = column.attnum;
    key.type = column.type;
    key.collation = column.collation;
    const TypeCacheEntry* type =
        lookup_type_cache(key.type, TYPECACHE_CMP_PROC | TYPECACHE_HASH_PROC);
    const pg::TypeEquality equality = pg::EqualityOfType(key.type);
    key.equals = equality.op;
    key.cast = equality.cast;
    key.array_cast = psprintf("%s%s", key.cast, *key.cast != '\0' ? "[]" : "");
    fmgr_info_cxt(type->cmp_proc, &key.compare, context);
    if (OidIsValid(type->hash_proc)) {
        fmgr_info_cxt(type->hash_proc, &key.hash, context);
    }
    get_typlenbyvalalign(key.type, &key.length, &key.by_value, &key.align);
    return key;
}

TupleDesc CopyColumns(Oid view) {
    Relation relation = table_open(view, NoLock);
    TupleDesc columns = CreateTupleDescCopy(RelationGetDescr(relation));
    table_close(relation, NoLock);
    return columns;
}

// The view's columns that the key columns of the target stand for.
List* KeysOfView(const Projection* projection, const Definition* definition) {
    List* keys = NIL;
    ListCell* cell;
    foreach (cell, definition->keys) {
        for (int i = 0; i < projection->columns->natts; ++i) {
            if (strcmp(projection->stored_names[i], static_cast<char*>(lfirst(cell))) == 0) {
                keys = lappend(keys, NameStr(TupleDescAttr(projection->columns, i)->attname));
            }
        }
    }
    return keys;
}

// A patch reads no table, but its values must not reach an owner who may not read them. (A change
// of these rights is one of the table's.) And it is no statement.
void ForgetImpossiblePatches(Projection* projection) {
    for (int i = 0; i < projection->lineage->source_count; ++i) {
        Source* source = &projection->lineage->sources[i];
        if (projection->layout == nullptr ||
            pg_class_aclcheck(source->relid, projection->owner, ACL_SELECT) != ACLCHECK_OK) {
            source->patch = nullptr;
        }
    }
}

void LockRelations(Oid source, Oid target) {
    LockRelationOid(source, AccessShareLock);
    // A standby verifies, and cannot take the lock of a writer.
    LockRelationOid(target, RecoveryInProgress() ? AccessShareLock : RowExclusiveLock);
}

// Null when there is none, or none that is maintained.
Projection* Load(int32 id, bool maintained) {
    const Definition* definition = FindDefinition(id);
    if (definition != nullptr && !(maintained && IsRestored(definition))) {
        LockRelations(definition->source, definition->target);
        // Who held them may have changed it.
        definition = FindDefinition(id);
    }
    if (definition == nullptr || (maintained && IsRestored(definition))) {
        return nullptr;
    }
    AttachCounts();
    const uint64 changes_before = changes;

    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "freshcrm projection", ALLOCSET_SMALL_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);
    auto* projection = static_cast<Projection*>(palloc0(sizeof(Projection)));
    projection->id = id;
    projection->target = definition->target;
    projection->source = definition->source;
    projection->name = pg::RelationForMessage(definition->target);
    projection->restored = IsRestored(definition);
    projection->context = context;
    FindOwner(projection);
    projection->mode = ModeNamed(definition->mode);
    projection->on_error = ErrorPolicyNamed(definition->on_error);
    projection->rank = RankOf(definition->source);
    projection->columns = CopyColumns(definition->source);
    FindStoredColumns(projection, definition->columns);
    projection->lineage = TraceLineage(definition->source, KeysOfView(projection, definition),
                                       Fallbacks(definition->options, definition->fallback_tables));
    projection->key_count = projection->lineage->key_count;
    projection->keys =
        static_cast<Key*>(palloc(sizeof(Key) * static_cast<Size>(projection->key_count)));
    for (int i = 0; i < projection->key_count; ++i) {
        projection->keys[i] = LoadKey(pstrdup(static_cast<char*>(list_nth(definition->keys, i))),
                                      projection->lineage->keys[i], context);
    }
    projection->key_shape = ShapeOf(projection->keys, projection->key_count);
    projection->digester = etag::MakeRowDigester(projection->columns, context);
    projection->collections =
        LoadCollections(FindCollectionSource(projection->target), Which::kFilled);
    projection->layout = ReadLayout(projection);
    ForgetImpossiblePatches(projection);
    MemoryContextSwitchTo(caller);
    projection->valid = changes == changes_before;
    return projection;
}

// Frees what is out of date. Frames below this one may still use it, so it lives on until the end
// of the transaction.
void Sweep() {
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, cache);
    while (auto* entry = static_cast<CacheEntry*>(hash_seq_search(&scan))) {
        if (entry->projection != nullptr && !entry->projection->valid) {
            MemoryContextSetParent(entry->projection->context, TopTransactionContext);
            entry->projection = nullptr;
        }
    }
}

// Waiting for a lock reads the invalidations that came before it was granted.
void LockViews(const Projection* projection) {
    LockRelations(projection->source, projection->target);
    for (int i = 1; i < projection->lineage->view_count; ++i) {
        LockRelationOid(projection->lineage->views[i], AccessShareLock);
    }
}

bool LockIfValid(Projection* projection) {
    if (projection == nullptr || !projection->valid) {
        return false;
    }
    if (projection->locked != pg::CurrentSubtransaction()) {
        LockViews(projection);
    }
    return projection->valid;
}

Projection* Open(int32 id, bool maintained) {
    bool found;
    auto* entry = static_cast<CacheEntry*>(hash_search(cache, &id, HASH_ENTER, &found));
    if (!found) {
        entry->projection = nullptr;
    }
    while (!LockIfValid(entry->projection)) {
        CHECK_FOR_INTERRUPTS();
        Sweep();
        Projection* fresh = Load(id, maintained);
        if (fresh == nullptr) {
            return nullptr;
        }
        MemoryContextSetParent(fresh->context, CacheMemoryContext);
        entry->projection = fresh;
    }
    return maintained && entry->projection->restored ? nullptr : entry->projection;
}

// With its base tables.
Projection* OpenAll(int32 id, bool maintained) {
    Projection* projection;
    do {
        projection = Open(id, maintained);
        if (projection != nullptr) {
            LockBaseTables(projection);
        }
    } while (projection != nullptr && !projection->valid);
    return projection;
}

}  // namespace

Projection* OpenProjection(int32 id) {
    Projection* projection = OpenAll(id, false);
    if (projection == nullptr) {
        RaiseNoProjection(id);
    }
    return projection;
}

Projection* OpenMaintained(int32 id) {
    return OpenAll(id, true);
}

Projection* OpenWatched(int32 id) {
    return Open(id, true);
}

// A snapshot taken before would, after waiting for a TRUNCATE, show one table empty and others with
// the rows of before.
void LockBaseTables(Projection* projection) {
    const pg::RunningSubtransaction now = pg::CurrentSubtransaction();
    if (projection->locked == now) {
        return;
    }
    for (int i = 0; i < projection->lineage->source_count; ++i) {
        LockRelationOid(projection->lineage->sources[i].relid, AccessShareLock);
    }
    projection->locked = now;
}

void RaiseNotTarget(Oid table) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                    errmsg("table %s is not a projection", pg::RelationForMessage(table)),
                    errhint("The view freshcrm.projections lists them.")));
    pg_unreachable();
}

Definition* FindTarget(Oid target) {
    Definition* definition = FindDefinitionOf(target);
    if (definition == nullptr) {
        RaiseNotTarget(target);
    }
    return definition;
}

Definition* FindOwned(Oid target) {
    Definition* definition = FindTarget(target);
    if (!pg_class_ownercheck(target, GetUserId())) {
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(target));
    }
    return definition;
}

Projection* OpenOwned(Oid target) {
    return OpenProjection(FindOwned(target)->id);
}

void InitProjectionCache() {
    HASHCTL control{};
    control.keysize = sizeof(int32);
    control.entrysize = sizeof(CacheEntry);
    cache = hash_create("freshcrm projections", 16, &control, HASH_ELEM | HASH_BLOBS);
    CacheRegisterRelcacheCallback(pg::RelcacheEntry<OnRelationChange>, 0);
    CacheRegisterSyscacheCallback(NAMESPACEOID, OnNameChange, 0);
    CacheRegisterSyscacheCallback(OPEROID, OnNameChange, 0);
}

}  // namespace freshcrm::projection
