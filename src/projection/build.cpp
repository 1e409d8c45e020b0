#include "projection/build.hpp"

#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "projection/backfill.hpp"
#include "projection/collection.hpp"
#include "projection/definition.hpp"
#include "projection/dependencies.hpp"
#include "projection/explain.hpp"
#include "projection/maintain.hpp"
#include "projection/options.hpp"
#include "projection/ordering.hpp"
#include "projection/orphan_triggers.hpp"
#include "projection/partitions.hpp"
#include "projection/query_text.hpp"
#include "projection/queue.hpp"
#include "projection/restored.hpp"
#include "projection/target.hpp"
#include "projection/target_guard.hpp"
#include "projection/trigger_rights.hpp"
#include "projection/triggers.hpp"
#include "projection/user_mapping.hpp"

extern "C" {
#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
}

namespace freshcrm::projection {

namespace {

constexpr int kMaxColumns = 800;

struct Target {
    Oid relid;
    bool adopted;
};

Target MakeTarget(const Request& request) {
    const TargetShape shape{request.source, request.keys, get_rel_namespace(request.source),
                            request.target != nullptr
                                ? request.target
                                : makeObjectName(get_rel_name(request.source), nullptr, "hot"),
                            FillfactorOption(request.options)};
    const Oid existing = get_relname_relid(shape.name, shape.schema);
    if (!OidIsValid(existing)) {
        return {CreateTarget(shape), false};
    }
    if (FindDefinitionOf(existing) != nullptr) {
        ereport(ERROR,
                (errcode(ERRCODE_DUPLICATE_OBJECT),
                 errmsg("table %s is a projection already", pg::RelationForMessage(existing)),
                 errhint("Drop it with freshcrm.drop_projection(), or name another target.")));
    }
    LockRelationOid(existing, ShareRowExclusiveLock);
    CheckAdoptable(shape, existing);
    return {existing, true};
}

// Returns the view's owner, as whom all is made: what the view computes is computed as its owner,
// and a target of another owner would lend that one's rights to who can change the view.
Oid CheckSource(const Request& request) {
    if (!pg_class_ownercheck(request.source, GetUserId())) {
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("must be owner of view %s", pg::RelationForMessage(request.source)),
                        errdetail("The projection shows in a table what the view shows."),
                        errhint("Ask its owner to create the projection.")));
    }
    Relation view = relation_open(request.source, NoLock);
    const Oid owner = view->rd_rel->relowner;
    const int columns = RelationGetNumberOfAttributes(view);
    relation_close(view, NoLock);
    // Two rows of the view's columns have to fit into one of the server's.
    if (columns > kMaxColumns) {
        ereport(ERROR,
                (errcode(ERRCODE_TOO_MANY_COLUMNS),
                 errmsg("view %s has %d columns", pg::RelationForMessage(request.source), columns),
                 errdetail("A projection can have %d.", kMaxColumns), errhint("Split the view.")));
    }
    return owner;
}

void WarnOfRowSecurity(const Lineage* lineage) {
    for (int i = 0; i < lineage->source_count; ++i) {
        Relation table = table_open(lineage->sources[i].relid, NoLock);
        if (table->rd_rel->relrowsecurity) {
            ereport(WARNING, (errmsg("the row-level security of table %s does not protect its copy",
                                     pg::RelationForMessage(RelationGetRelid(table))),
                              errhint("Give the projection's table policies of its own: "
                                      "freshcrm.explain_row_security() writes them.")));
        }
        table_close(table, NoLock);
    }
}

Oid CreateAsOwner(const Request& request) {
    const List* tables = BaseTables(request.source);
    CheckOptions(request.options, tables);
    List* fallback_tables = FallbackTables(request.options, tables);
    const Lineage* lineage =
        TraceLineage(request.source, request.keys, Fallbacks(request.options, fallback_tables));
    CheckSourcePrivileges(lineage);
    CheckDependencies(tables, lineage);
    SPI_connect();
    const Target target = MakeTarget(request);
    CheckNoCycle(lineage, target.relid);
    const int32 id = AddDefinition({0, target.relid, request.source, request.keys, request.mode,
                                    request.on_error, request.options, target.adopted,
                                    ColumnNames(request.source), InvalidOid, nullptr,
                                    fallback_tables, request.source_made});
    Projection* projection = OpenProjection(id);
    Maintain(projection, [&] { CheckUserMappings(projection); });
    Backfill(projection);
    DropOrphanTriggers(id, lineage);
    CreateTriggers(projection, request.options);
    if (!DirectWritesOption(request.options)) {
        CreateGuard(target.relid);
    }
    SetWhole(id, target.relid);
    SPI_finish();
    WarnOfRowSecurity(lineage);
    NoticeUnordered(lineage->views, lineage->view_count);
    NoticeMissingIndexes(lineage);
    return target.relid;
}

void Drop(const char* kind, Oid relid) {
    const pg::OwnerScope scope = pg::BeginPinnedSearchPath();
    SPI_connect();
    const char* sql = psprintf("DROP %s %s", kind, pg::QualifiedRelation(relid));
    pg::RunUtility(sql);
    SPI_finish();
    pg::EndAsOwner(scope);
}

// Who queues at the end of a transaction, and has given the other locks back with a savepoint,
// takes this one, too, and then looks whether the projection is still there.
void ForgetAllQueued(int32 id, Oid target) {
    LockRelationOid(target, AccessExclusiveLock);
    ForgetQueued(id, true);
    RemoveCollections(id);
}

}  // namespace

void CheckSourcePrivileges(const Lineage* lineage) {
    for (int i = 0; i < lineage->source_count; ++i) {
        const Oid source = lineage->sources[i].relid;
        if (get_rel_relkind(source) == RELKIND_MATVIEW) {
            RequireReading(source);
        }
        ListCell* cell;
        foreach (cell, TriggerTables(source)) {
            const Oid table = lfirst_oid(cell);
            RequireRights(table, table == source);
        }
    }
}

void CheckNoCycle(const Lineage* lineage, Oid target) {
    check_stack_depth();
    for (int i = 0; i < lineage->source_count; ++i) {
        const Oid relid = lineage->sources[i].relid;
        if (relid == target) {
            ereport(ERROR, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                            errmsg("table %s cannot be the target of a view that reads it",
                                   pg::RelationForMessage(target)),
                            errdetail("The view reads it, or a projection that is made of it."),
                            errhint("Name another target.")));
        }
        if (const Definition* definition = FindDefinitionOf(relid)) {
            CheckNoCycle(OpenProjection(definition->id)->lineage, target);
        }
    }
}

Oid CreateSource(const char* query, const char* target) {
    const char* select =
        OnlySelect(query, "the query of the projection", "Give one SELECT, or the name of a view.");
    const char* name = makeObjectName(target, nullptr, "source");
    SPI_connect();
    pg::RunUtility(psprintf("CREATE VIEW %s AS %s", quote_identifier(name), select));
    SPI_finish();
    return RangeVarGetRelid(makeRangeVar(nullptr, pstrdup(name), -1), NoLock, false);
}

Oid CreateProjection(const Request& request) {
    (void)ModeNamed(request.mode);
    (void)ErrorPolicyNamed(request.on_error);
    if (get_rel_relkind(request.source) == RELKIND_VIEW) {
        LockRelationOid(request.source, AccessShareLock);
        const pg::OwnerScope scope = pg::BeginAsOwner(CheckSource(request));
        const Oid target = CreateAsOwner(request);
        pg::EndAsOwner(scope);
        return target;
    }
    // Raises: it is no view.
    (void)TraceLineage(request.source, request.keys, NIL);
    return InvalidOid;
}

void DropProjection(Oid target, bool keep_table) {
    const Definition* definition = FindOwned(target);
    RemoveDefinition(definition->id);
    DropTriggers(definition->id);
    ForgetAllQueued(definition->id, target);
    if (definition->target_adopted || keep_table) {
        DropGuard(target);
    } else {
        Drop("TABLE", target);
    }
    if (definition->source_made && !PassOnSource(definition->source)) {
        Drop("VIEW", definition->source);
    }
}

void ForgetDropped() {
    ListCell* cell;
    foreach (cell, DanglingDefinitions()) {
        const int32 id = lfirst_int(cell);
        const Oid target = FindDefinition(id)->target;
        DropGuard(target);
        RemoveDefinition(id);
        DropTriggers(id);
        ForgetAllQueued(id, target);
    }
}

}  // namespace freshcrm::projection
