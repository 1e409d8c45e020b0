#include "projection/follow.hpp"

#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "projection/affected.hpp"
#include "projection/build.hpp"
#include "projection/definition.hpp"
#include "projection/dependencies.hpp"
#include "projection/follow_refresh.hpp"
#include "projection/maintain.hpp"
#include "projection/partition_moves.hpp"
#include "projection/partitions.hpp"
#include "projection/recompute.hpp"
#include "projection/restored.hpp"
#include "projection/target.hpp"
#include "projection/trigger_sync.hpp"
#include "projection/triggers.hpp"

extern "C" {
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// The owner of both is who computes. That is chosen with the view: were the view to follow the
// table, who gives a table away would give away the right to compute as its new owner, unseen.
bool FollowOwner(const Definition* definition, const Affected* affected) {
    const Oid owner = pg::OwnerOfRelation(definition->source);
    if (owner == pg::OwnerOfRelation(definition->target)) {
        return false;
    }
    if (!affected->source) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("table %s must have the owner of its view %s",
                               pg::RelationForMessage(definition->target),
                               pg::RelationForMessage(definition->source)),
                        errhint("Change the owner of the view: that of the table follows.")));
    }
    // As the user who asked for it, whose rights decide.
    SPI_connect();
    const char* sql =
        psprintf("ALTER TABLE %s OWNER TO %s", pg::QualifiedRelation(definition->target),
                 quote_identifier(GetUserNameFromId(owner, false)));
    pg::RunUtility(sql);
    SPI_finish();
    return true;
}

List* Renamed(const List* names, const char* old_name, const char* new_name) {
    List* renamed = NIL;
    ListCell* cell;
    foreach (cell, names) {
        auto* name = static_cast<char*>(lfirst(cell));
        renamed = lappend(renamed, strcmp(name, old_name) == 0 ? pstrdup(new_name) : name);
    }
    return renamed;
}

// The column that is no longer there is the one that was renamed.
void FollowRename(Definition* definition, AttrNumber attnum) {
    ListCell* cell;
    foreach (cell, definition->columns) {
        const auto* old_name = static_cast<char*>(lfirst(cell));
        if (get_attnum(definition->target, old_name) == InvalidAttrNumber) {
            const char* new_name = get_attname(definition->target, attnum, false);
            definition->keys = Renamed(definition->keys, old_name, new_name);
            definition->columns = Renamed(definition->columns, old_name, new_name);
            SetColumns(definition->id, definition->keys, definition->columns);
            return;
        }
    }
}

bool FollowNewColumns(Definition* definition) {
    const int known = list_length(definition->columns);
    List* names = ColumnNames(definition->source);
    if (list_length(names) <= known) {
        return false;
    }
    definition->columns = list_concat(definition->columns, list_copy_tail(names, known));
    // First, so that it is right when the change of the target is followed in turn.
    SetColumns(definition->id, definition->keys, definition->columns);
    const pg::OwnerScope scope = pg::BeginAsOwner(pg::OwnerOfRelation(definition->target));
    SPI_connect();
    AddColumns(definition->source, definition->target, known);
    SPI_finish();
    pg::EndAsOwner(scope);
    return true;
}

bool ReadsWholeRows(const Lineage* lineage) {
    for (int i = 0; i < lineage->source_count; ++i) {
        if (lineage->sources[i].whole_row) {
            return true;
        }
    }
    return false;
}

// Returns the problem with its triggers; `changed` says whether there is one now and was none
// before, or the other way round.
const char* CheckTriggers(const Definition* definition, bool* changed) {
    const char* problem = TriggerProblem(definition);
    *changed = (problem == nullptr) != (definition->problem == nullptr);
    if (*changed) {
        SetProblem(definition->id, problem);
    }
    if (*changed && problem != nullptr) {
        const char* name = pg::RelationForMessage(definition->target);
        ereport(WARNING, (errcode(ERRCODE_WARNING), errmsg("projection %s is not maintained", name),
                          errdetail("%s", problem),
                          errhint("Enable the trigger, or call freshcrm.verify_projection() with "
                                  "repair.")));
    }
    return problem;
}

// Triggers are made on new tables when those who write to them are through. Who refreshes what the
// view did not read before is to be through, too.
void LockOutRefreshes(const Lineage* lineage) {
    ListCell* cell;
    foreach (cell, MaterializedViews(lineage)) {
        LockRelationOid(lfirst_oid(cell), ShareRowExclusiveLock);
    }
}

// Returns whether writes had passed the projection by and are followed again.
bool FollowTriggers(const Projection* projection, const Definition* definition, Reach reach) {
    SPI_connect();
    if (reach == Reach::kDefinition) {
        CheckSourcePrivileges(projection->lineage);
        pg::PushFreshSnapshot();
        CheckDependencies(BaseTables(projection->source), projection->lineage);
        PopActiveSnapshot();
        CheckNoCycle(projection->lineage, projection->target);
        LockOutRefreshes(projection->lineage);
    }
    // Triggers that are gone for another reason are left to who took them away.
    if (reach == Reach::kDefinition || (reach == Reach::kTable && definition->problem == nullptr)) {
        SyncTriggers(projection, definition);
    }
    RestoreFiring(FindTriggers(definition->id));
    bool changed;
    const char* problem = CheckTriggers(definition, &changed);
    SPI_finish();
    return changed && problem == nullptr;
}

void FollowChange(Definition* definition, const Affected* affected, const List* moves) {
    Reach reach = affected->reach;
    if (FollowOwner(definition, affected)) {
        reach = Reach::kDefinition;
    }
    if (affected->renamed > 0) {
        FollowRename(definition, affected->renamed);
    }
    if (FollowNewColumns(definition)) {
        reach = Reach::kDefinition;
    }
    if (affected->waiting) {
        SetWhole(definition->id, definition->target);
    }
    if (affected->target) {
        CheckStillTarget(definition->target, definition->keys);
    }
    // Not everything that a projection is made of is a relation whose change sessions would notice.
    CacheInvalidateRelcacheByRelid(definition->target);
    CommandCounterIncrement();
    if (reach == Reach::kDefinition) {
        // No writer is in the middle of maintaining it as it was, or begins before this is over.
        LockRelationOid(definition->target, ShareRowExclusiveLock);
    }
    Projection* projection = OpenProjection(definition->id);
    const pg::OwnerScope scope = pg::BeginAsOwner(projection->owner);
    bool recompute = FollowTriggers(projection, definition, reach);
    pg::EndAsOwner(scope);
    recompute = recompute || reach == Reach::kDefinition ||
                (reach == Reach::kTable && ReadsWholeRows(projection->lineage));
    projection = OpenProjection(definition->id);
    if (recompute) {
        Maintain(projection, [&] { (void)RecomputeAll(projection); });
    } else {
        FollowMoves(projection, moves);
    }
}

// Of the triggers alone, which most often are those of others.
bool TriggersChanged(const Definition* definition) {
    SPI_connect();
    const bool broken = TriggerProblem(definition) != nullptr;
    SPI_finish();
    return broken != (definition->problem != nullptr);
}

// Triggers for one projection and columns for its table are DDL, too, which is followed in turn:
// that must not find this projection or others without the triggers that they are still to be
// given.
void SetAside(const List* affected) {
    ListCell* cell;
    foreach (cell, affected) {
        auto* waiting = static_cast<Affected*>(lfirst(cell));
        const Definition* definition = FindDefinition(waiting->id);
        if (waiting->reach > Reach::kTriggers && definition != nullptr && IsWhole(definition) &&
            definition->problem == nullptr && TriggersChanged(definition)) {
            SetWhole(definition->id, InvalidOid);
            waiting->waiting = true;
        }
    }
}

// Runs `body` so that an error in it names the projection.
template <typename Body>
void WithContext(const Definition* definition, Body body) {
    ErrorContextCallback context{};
    context.previous = error_context_stack;
    context.callback = [](void* name) {
        errcontext("DDL on what projection %s depends on", static_cast<const char*>(name));
    };
    context.arg = const_cast<char*>(pg::RelationForMessage(definition->target));
    error_context_stack = &context;
    body();
    error_context_stack = context.previous;
}

void Follow(const Affected* affected, const List* moves) {
    Definition* definition = FindDefinition(affected->id);
    // What is dropped is forgotten by a trigger of its own.
    if (definition == nullptr || !OidIsValid(pg::OwnerOfRelation(definition->target)) ||
        !OidIsValid(pg::OwnerOfRelation(definition->source))) {
        return;
    }
    if (IsRestored(definition)) {
        // Its rows come with the restore, the rights that upkeep needs after it.
        FollowRestore(definition);
        return;
    }
    if (!affected->waiting && !IsWhole(definition)) {
        return;
    }
    WithContext(definition, [&] {
        if (affected->reach != Reach::kTriggers || affected->target ||
            TriggersChanged(definition)) {
            FollowChange(definition, affected, moves);
        }
    });
}

void FollowAll(const List* affected, const List* moves) {
    if (affected == NIL) {
        return;
    }
    const pg::OwnerScope scope = pg::BeginPinnedSearchPath();
    SetAside(affected);
    ListCell* cell;
    foreach (cell, affected) {
        Follow(static_cast<Affected*>(lfirst(cell)), moves);
    }
    pg::EndAsOwner(scope);
}

}  // namespace

void FollowCommands(const Node* command) {
    if (IsA(command, RefreshMatViewStmt)) {
        FollowRefresh(reinterpret_cast<const RefreshMatViewStmt*>(command));
        return;
    }
    if (IsA(command, CreateTrigStmt) && OidIsValid(DefinitionTable())) {
        const pg::OwnerScope scope = pg::BeginAsOwner(OwnerOfDefinitions());
        WaitForDefinitions();
        pg::EndAsOwner(scope);
    }
    const List* moves = PartitionMoves(command);
    FollowAll(AffectedByCommands(MovedTables(moves)), moves);
}

void FollowDrops() {
    ListCell* cell;
    foreach (cell, AffectedByDroppedIndexes()) {
        const Definition* definition = FindDefinition(lfirst_int(cell));
        WithContext(definition, [&] { CheckStillTarget(definition->target, definition->keys); });
    }
    FollowAll(AffectedByDrops(), NIL);
}

}  // namespace freshcrm::projection
