#include "refresh/sources.hpp"

#include "pg/names.hpp"
#include "pg/tree_walker.hpp"
#include "refresh/fingerprint.hpp"
#include "refresh/outside.hpp"
#include "refresh/view_query.hpp"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "utils/fmgroids.h"
#include "utils/rls.h"
#include "utils/syscache.h"
}

#include <type_traits>

namespace freshcrm::refresh {

namespace {

struct Gathering {
    Oid owner;      // of the materialized view: as whom it is refreshed
    Oid reading;    // the view whose query is being walked
    List* views;    // those that were walked
    List* tables;   // each once
    List* secured;  // tables whose policies limit what is read
    Outside outside;
    Fingerprint* fingerprint;
};

// Why changes of a relation cannot be noticed, or null.
const char* ProblemOf(const Gathering& gathering, Oid relid) {
    switch (get_rel_relkind(relid)) {
        case RELKIND_MATVIEW:
            return nullptr;
        case RELKIND_FOREIGN_TABLE:
            return "a foreign table, whose changes elsewhere fire no trigger here";
        case RELKIND_RELATION:
        case RELKIND_PARTITIONED_TABLE:
            break;
        default:
            return "a relation that cannot have triggers";
    }
    if (IsCatalogRelationOid(relid)) {
        return "a system catalog, which cannot have triggers";
    }
    switch (get_rel_persistence(relid)) {
        case RELPERSISTENCE_TEMP:
            return "a temporary table";
        case RELPERSISTENCE_UNLOGGED:
            return "an unlogged table, which a crash empties without a trigger";
        default:
            break;
    }
    return list_member_oid(gathering.secured, relid)
               ? "a table of which row-level security may hide rows from the refresh"
               : nullptr;
}

void NoteSample(Gathering* gathering, const RangeTblEntry* entry) {
    if (entry->tablesample->repeatable == nullptr ||
        entry->tablesample->tsmhandler >= FirstNormalObjectId) {
        NoteReason(&gathering->outside,
                   psprintf("it samples table %s without REPEATABLE",
                            pg::RelationForMessage(entry->relid)),
                   "Add REPEATABLE (1), for instance.");
    }
}

// Which rows a policy shows may depend on anything. The refresh reads as the owner of the view that
// names the table, or, where that is a security invoker's, as the owner of the materialized view.
void NoteRowSecurity(Gathering* gathering, const RangeTblEntry* entry) {
    const Oid reader = OidIsValid(entry->checkAsUser) ? entry->checkAsUser : gathering->owner;
    const int state = check_enable_rls(entry->relid, reader, true);
    if (state != RLS_NONE) {
        gathering->fingerprint->AddInteger(entry->relid);
        gathering->fingerprint->AddInteger(static_cast<uint64>(state));
    }
    if (state == RLS_ENABLED) {
        gathering->secured = list_append_unique_oid(gathering->secured, entry->relid);
    }
}

void AddTables(Gathering* gathering, Oid relid, bool with_children) {
    if (list_member_oid(gathering->tables, relid) && !with_children) {
        return;
    }
    List* relids = with_children && has_subclass(relid)
                       ? find_all_inheritors(relid, NoLock, nullptr)
                       : list_make1_oid(relid);
    gathering->tables = list_concat_unique_oid(gathering->tables, relids);
}

// What the table is a partition or a child of, as committed by now.
List* ParentsOf(Oid relid) {
    Relation inherits = table_open(InheritsRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(relid));
    SysScanDesc scan =
        systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, nullptr, 1, &key);
    List* parents = NIL;
    for (HeapTuple row; HeapTupleIsValid(row = systable_getnext(scan));) {
        parents =
            lappend_oid(parents, reinterpret_cast<Form_pg_inherits>(GETSTRUCT(row))->inhparent);
    }
    systable_endscan(scan);
    table_close(inherits, AccessShareLock);
    return parents;
}

// A statement that names a parent changes rows of its children and fires triggers of the parent.
void AddParents(Gathering* gathering) {
    for (int i = 0; i < list_length(gathering->tables); ++i) {
        gathering->tables = list_concat_unique_oid(gathering->tables,
                                                   ParentsOf(list_nth_oid(gathering->tables, i)));
    }
}

void ReadView(Gathering* gathering, Oid relid);

void NoteEntry(Gathering* gathering, const RangeTblEntry* entry) {
    // A view's query has entries for itself, of old and new rows.
    if (entry->rtekind != RTE_RELATION || entry->relid == gathering->reading) {
        return;
    }
    if (get_rel_relkind(entry->relid) == RELKIND_VIEW) {
        if (!list_member_oid(gathering->views, entry->relid)) {
            ReadView(gathering, entry->relid);
        }
        return;
    }
    if (entry->tablesample != nullptr) {
        NoteSample(gathering, entry);
    }
    NoteRowSecurity(gathering, entry);
    AddTables(gathering, entry->relid, entry->inh);
}

// The entries of the query and of all subqueries in it.
bool NoteEntries(Node* node, void* arg) {
    if (node == nullptr) {
        return false;
    }
    if (!IsA(node, Query)) {
        return pg::WalkExpressionTree(node, NoteEntries, arg);
    }
    auto* query = reinterpret_cast<Query*>(node);
    ListCell* cell;
    foreach (cell, query->rtable) {
        NoteEntry(static_cast<Gathering*>(arg), static_cast<RangeTblEntry*>(lfirst(cell)));
    }
    return pg::WalkQueryTree(query, NoteEntries, arg);
}

void ReadView(Gathering* gathering, Oid relid) {
    check_stack_depth();
    gathering->views = lappend_oid(gathering->views, relid);
    HeapTuple rule =
        SearchSysCache2(RULERELNAME, ObjectIdGetDatum(relid), CStringGetDatum("_RETURN"));
    if (HeapTupleIsValid(rule)) {
        gathering->fingerprint->AddRow(relid, rule);
        ReleaseSysCache(rule);
    }
    Query* query = QueryOf(relid);

    const Oid outer = gathering->reading;
    gathering->reading = relid;
    NoteQuery(query, &gathering->outside);
    (void)NoteEntries(reinterpret_cast<Node*>(query), gathering);
    gathering->reading = outer;
}

Oid OwnerOfMatview(Oid matview) {
    const char kind = get_rel_relkind(matview);
    if (kind == '\0') {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("relation with OID %u does not exist", matview)));
    }
    if (kind != RELKIND_MATVIEW) {
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("%s is not a materialized view", pg::RelationForMessage(matview))));
    }
    return pg::OwnerOfRelation(matview);
}

}  // namespace

Sources ReadSources(Oid matview) {
    // No destructor: an error may skip it.
    static_assert(std::is_trivially_destructible_v<Fingerprint>);
    Fingerprint fingerprint;
    Gathering gathering{};
    gathering.owner = OwnerOfMatview(matview);
    gathering.fingerprint = &fingerprint;
    ReadView(&gathering, matview);
    AddParents(&gathering);
    list_sort(gathering.tables, list_oid_cmp);
    fingerprint.AddList(gathering.tables);
    fingerprint.AddOutside(gathering.outside);

    Sources sources{};
    sources.tables = gathering.tables;
    sources.never_skipped = gathering.outside.reason;
    sources.hint = gathering.outside.hint;
    ListCell* cell;
    foreach (cell, gathering.tables) {
        const Oid relid = lfirst_oid(cell);
        const char* problem = ProblemOf(gathering, relid);
        sources.problems = lappend(sources.problems, const_cast<char*>(problem));
        if (problem != nullptr && sources.never_skipped == nullptr) {
            sources.never_skipped =
                psprintf("it reads %s, %s", pg::RelationForMessage(relid), problem);
        }
    }
    sources.definition = fingerprint.Finish();
    return sources;
}

}  // namespace freshcrm::refresh
