#include "refresh/explain.hpp"

#include "pg/names.hpp"
#include "refresh/likely_key.hpp"
#include "refresh/mode.hpp"
#include "refresh/sources.hpp"
#include "refresh/watched.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "utils/syscache.h"
}

namespace freshcrm::refresh {

namespace {

const char* KindOf(Oid relid) {
    switch (get_rel_relkind(relid)) {
        case RELKIND_MATVIEW:
            return "materialized view";
        case RELKIND_FOREIGN_TABLE:
            return "foreign table";
        case RELKIND_SEQUENCE:
            return "sequence";
        default:
            break;
    }
    if (IsCatalogRelationOid(relid)) {
        return "catalog";
    }
    if (get_rel_relispartition(relid)) {
        return "partition";
    }
    return get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ? "partitioned table" : "table";
}

struct Lints {
    Oid matview;
    Oid owner;
    const char* name;
    ReturnSetInfo* result;
};

void AddLint(const Lints& lints, const char* lint, const char* message, const char* hint) {
    Datum values[] = {CStringGetTextDatum(lint), CStringGetTextDatum(message),
                      hint != nullptr ? CStringGetTextDatum(hint) : Datum{0}};
    bool nulls[] = {false, false, hint == nullptr};
    tuplestore_putvalues(lints.result->setResult, lints.result->setDesc, values, nulls);
}

// The DDL of the index that is missing, with the columns to be filled in where none are likely.
const char* UniqueIndexDdl(const Lints& lints) {
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfo(&sql, "CREATE UNIQUE INDEX ON %s (", pg::QualifiedRelation(lints.matview));
    const List* key = LikelyKey(lints.matview);
    ListCell* cell;
    foreach (cell, key) {
        appendStringInfo(
            &sql, "%s%s", foreach_current_index(cell) > 0 ? ", " : "",
            pg::QuotedColumn(lints.matview, static_cast<AttrNumber>(lfirst_int(cell))));
    }
    appendStringInfoString(&sql, key == NIL ? "...);" : ");");
    return sql.data;
}

void LintMode(const Lints& lints) {
    Relation relation = table_open(lints.matview, AccessShareLock);
    if (!HasUsableUniqueIndex(relation)) {
        AddLint(lints, "no_unique_index",
                psprintf("%s has no unique index of plain columns over all of its rows: each "
                         "refresh writes it anew and locks its readers out",
                         lints.name),
                UniqueIndexDdl(lints));
    }
    if (!relation->rd_rel->relispopulated) {
        AddLint(lints, "not_populated",
                psprintf("%s was never populated: reading it fails until its first refresh, which "
                         "is not concurrent",
                         lints.name),
                psprintf("REFRESH MATERIALIZED VIEW %s;", pg::QualifiedRelation(lints.matview)));
    }
    table_close(relation, NoLock);
}

bool HasRowSecurity(Oid relid) {
    HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
    if (!HeapTupleIsValid(row)) {
        return false;
    }
    const bool enabled = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relrowsecurity;
    ReleaseSysCache(row);
    return enabled;
}

void LintTable(const Lints& lints, Oid relid, const char* problem) {
    const char* table = pg::RelationForMessage(relid);
    if (HasRowSecurity(relid)) {
        AddLint(lints, "row_security",
                psprintf("the policies of table %s do not protect the copies of its rows in %s: "
                         "who may read that reads all of them",
                         table, lints.name),
                psprintf("Grant SELECT on %s only to roles that may see every row of %s.",
                         lints.name, table));
    }
    const Watch watch = problem == nullptr ? WatchOf(relid, lints.owner) : Watch{};
    if (watch.problem != nullptr) {
        AddLint(lints, "not_watched",
                psprintf("%s is refreshed each time, since changes of table %s are not noted",
                         lints.name, table),
                psprintf("%s %s", watch.problem, watch.remedy));
    }
}

}  // namespace

void ExplainSources(Oid matview, ReturnSetInfo* result) {
    const Sources sources = ReadSources(matview);
    const Oid owner = pg::OwnerOfRelation(matview);
    ListCell* table;
    ListCell* problem_of;
    forboth(table, sources.tables, problem_of, sources.problems) {
        const Oid relid = lfirst_oid(table);
        const auto* problem = static_cast<const char*>(lfirst(problem_of));
        bool watched = false;
        if (problem != nullptr) {
            problem = psprintf("It is %s.", problem);
        } else {
            problem = WatchOf(relid, owner).problem;
            watched = problem == nullptr;
        }
        Datum values[] = {ObjectIdGetDatum(relid), CStringGetTextDatum(KindOf(relid)),
                          BoolGetDatum(watched),
                          problem != nullptr ? CStringGetTextDatum(problem) : Datum{0}};
        bool nulls[] = {false, false, false, problem == nullptr};
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
}

void LintRefresh(Oid matview, ReturnSetInfo* result) {
    const Sources sources = ReadSources(matview);
    const Lints lints{matview, pg::OwnerOfRelation(matview), pg::RelationForMessage(matview),
                      result};
    LintMode(lints);
    if (sources.never_skipped != nullptr) {
        AddLint(lints, "never_skipped",
                psprintf("%s is refreshed each time, whether its tables changed or not: %s",
                         lints.name, sources.never_skipped),
                sources.hint);
    }
    ListCell* table;
    ListCell* problem;
    forboth(table, sources.tables, problem, sources.problems) {
        LintTable(lints, lfirst_oid(table), static_cast<const char*>(lfirst(problem)));
    }
}

}  // namespace freshcrm::refresh
