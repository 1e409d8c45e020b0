#include "projection/projection.hpp"

#include "pg/entry.hpp"
#include "pg/names.hpp"
#include "projection/definition.hpp"

extern "C" {
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "storage/lmgr.h"
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
    uint64 runs;
};

HTAB* cache = nullptr;

// Counts invalidations, so that one that comes while a projection is being loaded is not missed.
uint64 relation_changes = 0;

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

void OnRelationChange(Oid relid) {
    ++relation_changes;
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, cache);
    while (auto* entry = static_cast<CacheEntry*>(hash_seq_search(&scan))) {
        Projection* projection = entry->projection;
        if (projection != nullptr && (!OidIsValid(relid) || DependsOn(projection, relid))) {
            projection->valid = false;
        }
    }
}

[[noreturn]] void RaiseNoProjection(int32 id) {
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("projection %d does not exist", id),
             errdetail("A trigger or a call names a projection that freshcrm.projection lacks."),
             errhint("Drop the trigger, or restore the contents of freshcrm.projection.")));
    pg_unreachable();
}

// Every column of the view must be in the target under the same name with the same type.
void CheckTarget(const Projection* projection) {
    for (int i = 0; i < projection->columns->natts; ++i) {
        const auto* column = TupleDescAttr(projection->columns, i);
        const AttrNumber attnum = get_attnum(projection->target, NameStr(column->attname));
        if (attnum == InvalidAttrNumber ||
            get_atttype(projection->target, attnum) != column->atttypid) {
            ereport(
                ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("table %s no longer fits the view %s", projection->name,
                        pg::RelationForMessage(projection->source)),
                 errdetail("Column \"%s\" of the view is missing in the table or has another type.",
                           NameStr(column->attname)),
                 errhint("Drop the projection and create it again.")));
        }
    }
}

void LoadKey(Projection* projection) {
    const Lineage* lineage = projection->lineage;
    const TypeCacheEntry* type = lookup_type_cache(
        lineage->key_type, TYPECACHE_EQ_OPR | TYPECACHE_CMP_PROC | TYPECACHE_HASH_PROC);
    projection->key_operator = pg::QualifiedOperator(type->eq_opr);
    fmgr_info_cxt(type->cmp_proc, &projection->key_compare, projection->context);
    if (OidIsValid(type->hash_proc)) {
        fmgr_info_cxt(type->hash_proc, &projection->key_hash, projection->context);
    }
    get_typlenbyvalalign(lineage->key_type, &projection->key_length, &projection->key_by_value,
                         &projection->key_align);
}

TupleDesc CopyColumns(Oid view) {
    Relation relation = table_open(view, NoLock);
    TupleDesc columns = CreateTupleDescCopy(RelationGetDescr(relation));
    table_close(relation, NoLock);
    return columns;
}

void LockRelations(Oid source, Oid target) {
    LockRelationOid(source, AccessShareLock);
    // A standby verifies, and cannot take the lock of a writer.
    LockRelationOid(target, RecoveryInProgress() ? AccessShareLock : RowExclusiveLock);
}

Projection* Load(int32 id) {
    const Definition* definition = FindDefinition(id);
    if (definition == nullptr) {
        RaiseNoProjection(id);
    }
    LockRelations(definition->source, definition->target);
    const uint64 changes_before = relation_changes;

    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "freshcrm projection", ALLOCSET_SMALL_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);
    auto* projection = static_cast<Projection*>(palloc0(sizeof(Projection)));
    projection->id = id;
    projection->target = definition->target;
    projection->source = definition->source;
    projection->key = pstrdup(definition->key);
    projection->name = pg::RelationForMessage(definition->target);
    projection->context = context;

    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(definition->target));
    if (!HeapTupleIsValid(tuple) || get_rel_name(definition->source) == nullptr) {
        RaiseNoProjection(id);
    }
    projection->owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);

    projection->columns = CopyColumns(definition->source);
    CheckTarget(projection);
    projection->lineage = TraceLineage(definition->source, projection->key);
    LoadKey(projection);
    projection->digester = etag::MakeRowDigester(projection->columns, context);
    MemoryContextSwitchTo(caller);
    projection->valid = relation_changes == changes_before;
    return projection;
}

}  // namespace

Projection* OpenProjection(int32 id) {
    bool found;
    auto* entry = static_cast<CacheEntry*>(hash_search(cache, &id, HASH_ENTER, &found));
    if (!found) {
        entry->projection = nullptr;
        entry->runs = 0;
    }
    if (entry->projection != nullptr && entry->projection->valid) {
        // Waiting for a lock reads the invalidations that came before it was granted.
        LockRelations(entry->projection->source, entry->projection->target);
        if (entry->projection->valid) {
            return entry->projection;
        }
    }
    Projection* fresh = Load(id);
    while (!fresh->valid) {
        CHECK_FOR_INTERRUPTS();
        MemoryContextDelete(fresh->context);
        fresh = Load(id);
    }
    if (entry->projection != nullptr) {
        // Frames below this one may still use it.
        MemoryContextSetParent(entry->projection->context, TopTransactionContext);
    }
    MemoryContextSetParent(fresh->context, CacheMemoryContext);
    fresh->runs = &entry->runs;
    entry->projection = fresh;
    return fresh;
}

void InitProjectionCache() {
    HASHCTL control{};
    control.keysize = sizeof(int32);
    control.entrysize = sizeof(CacheEntry);
    cache = hash_create("freshcrm projections", 16, &control, HASH_ELEM | HASH_BLOBS);
    CacheRegisterRelcacheCallback(pg::RelcacheEntry<OnRelationChange>, 0);
}

}  // namespace freshcrm::projection
