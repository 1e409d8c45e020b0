#include "projection/affected.hpp"

#include "pg/owner_scope.hpp"
#include "pg/spi.hpp"
#include "projection/definition.hpp"

extern "C" {
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

namespace freshcrm::projection {

namespace {

// What was changed, as (classid, objid, objsubid, reach). A trigger or rule stands for its
// relation. In $1 are the tables that have become partitions, or no longer are some: the command
// names their parents.
constexpr const char* kCommands =
    "SELECT CASE WHEN e.classid IN ('pg_trigger'::regclass, 'pg_rewrite'::regclass) "
    "THEN 'pg_class'::regclass ELSE e.classid END, coalesce(g.tgrelid, r.ev_class, e.objid), "
    "e.objsubid, CASE WHEN g.oid IS NOT NULL THEN 1 "
    "WHEN e.classid = 'pg_class'::regclass AND e.command_tag <> 'CREATE VIEW' "
    "AND c.relkind <> 'c' THEN 2 "
    "WHEN r.oid IS NOT NULL AND r.rulename <> '_RETURN' THEN 1 ELSE 3 END "
    "FROM pg_event_trigger_ddl_commands() AS e "
    "LEFT JOIN pg_trigger AS g ON e.classid = 'pg_trigger'::regclass AND g.oid = e.objid "
    "LEFT JOIN pg_rewrite AS r ON e.classid = 'pg_rewrite'::regclass AND r.oid = e.objid "
    "LEFT JOIN pg_class AS c ON e.classid = 'pg_class'::regclass AND c.oid = e.objid "
    "WHERE e.classid IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass, "
    "'pg_operator'::regclass, 'pg_trigger'::regclass, 'pg_rewrite'::regclass, "
    "'pg_ts_config'::regclass, 'pg_ts_dict'::regclass) "
    "UNION ALL SELECT 'pg_class'::regclass, moved, 0, 2 FROM unnest($1) AS moved";

// A table that is gone with its triggers was a partition of those that have the same ones.
constexpr const char* kDrops =
    "SELECT 'pg_class'::regclass, c.oid, 0, 1 FROM pg_event_trigger_dropped_objects() AS e "
    "JOIN pg_namespace AS n ON n.nspname = e.address_names[1] "
    "JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = e.address_names[2] "
    "WHERE e.object_type = 'trigger' "
    "UNION SELECT 'pg_class'::regclass, c.oid, 0, 3 FROM pg_event_trigger_dropped_objects() AS e "
    "JOIN pg_trigger AS g ON g.tgname = e.address_names[3] "
    "AND g.tgfoid = 'freshcrm.capture'::regproc "
    "JOIN pg_class AS c ON c.oid = g.tgrelid AND c.relkind = 'p' "
    "WHERE e.object_type = 'trigger' AND NOT EXISTS (SELECT FROM pg_namespace AS n "
    "JOIN pg_class AS t ON t.relnamespace = n.oid WHERE n.nspname = e.address_names[1] "
    "AND t.relname = e.address_names[2])";

// From there up to what depends on it. A rule stands for its view. A table that is altered leaves
// the query of a view of it as it was, and so those of views of that view (`kept`); a view or type
// that is altered may not, through a reference to its whole row. A materialized view stays as it is
// whatever becomes of what it is made of, until it is refreshed.
constexpr const char* kAffected =
    "WITH RECURSIVE changed (classid, objid, objsubid, reach) AS (%s), up AS ("
    "SELECT classid, objid, reach, false AS kept FROM changed UNION SELECT x.* FROM up "
    "LEFT JOIN pg_class AS u ON up.classid = 'pg_class'::regclass AND u.oid = up.objid "
    "CROSS JOIN LATERAL ("
    "SELECT CASE WHEN d.classid = 'pg_rewrite'::regclass THEN 'pg_class'::regclass "
    "ELSE d.classid END, coalesce(r.ev_class, d.objid), "
    "CASE WHEN k.kept OR up.reach = 1 THEN up.reach ELSE 3 END, k.kept FROM pg_depend AS d "
    "LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid "
    "LEFT JOIN pg_class AS v ON v.oid = r.ev_class "
    "CROSS JOIN LATERAL (SELECT (up.kept OR u.relkind IN ('r', 'p', 'f', 'm')) "
    "AND d.classid <> 'pg_type'::regclass) AS k (kept) "
    "WHERE d.refclassid = up.classid AND d.refobjid = up.objid "
    "AND d.classid IN ('pg_class'::regclass, 'pg_rewrite'::regclass, 'pg_type'::regclass, "
    "'pg_proc'::regclass, 'pg_operator'::regclass, 'pg_ts_config'::regclass) AND r.ev_class IS "
    "DISTINCT FROM up.objid AND v.relkind IS DISTINCT FROM 'm' "
    "AND (up.reach > 1 OR d.classid <> 'pg_type'::regclass) "
    "UNION ALL SELECT 'pg_class'::regclass, i.inhparent, up.reach, up.kept FROM pg_inherits AS i "
    "WHERE up.classid = 'pg_class'::regclass AND i.inhrelid = up.objid "
    // A table that is no longer a partition of this one is not found through it.
    "UNION ALL SELECT 'pg_class'::regclass, p.source, up.reach, true FROM pg_trigger AS g "
    "JOIN freshcrm.projection AS p ON g.tgargs = convert_to(p.id::text, 'UTF8') || '\\x00' "
    "WHERE u.relkind = 'p' AND g.tgrelid = u.oid AND g.tgfoid = 'freshcrm.capture'::regproc "
    "UNION ALL SELECT 'pg_type'::regclass, u.reltype, 3, false WHERE u.relkind = 'c'"
    ") AS x (classid, objid, reach, kept)) "
    "SELECT p.id, coalesce(max(u.reach) FILTER (WHERE u.objid = p.source), 0), "
    "p.source IN (SELECT objid FROM changed WHERE classid = 'pg_class'::regclass), "
    "bool_or(u.objid = p.target), coalesce((SELECT max(c.objsubid) FROM changed AS c "
    "WHERE c.classid = 'pg_class'::regclass AND c.objid = p.target), 0)::int2 "
    "FROM freshcrm.projection AS p JOIN up AS u ON u.classid = 'pg_class'::regclass "
    "AND (u.objid = p.source OR u.objid = p.target AND u.reach > 1 "
    // A restore that loads the definitions with triggers disabled.
    "OR u.objid = 'freshcrm.projection'::regclass AND p.whole NOT IN (0, p.target)) "
    "GROUP BY p.id ORDER BY p.id";

// Those of $1 and of the running commands, which are of one kind. What reads a materialized view
// by another one does not change with it.
constexpr const char* kReaders =
    "WITH RECURSIVE up AS (SELECT relid AS matview, relid FROM (SELECT objid "
    "FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_class'::regclass "
    "UNION SELECT unnest($1)) AS refreshed (relid) UNION SELECT up.matview, r.ev_class FROM up "
    "JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = up.relid "
    "AND d.classid = 'pg_rewrite'::regclass JOIN pg_rewrite AS r ON r.oid = d.objid "
    "JOIN pg_class AS c ON c.oid = r.ev_class AND c.relkind = 'v') "
    "SELECT p.id, up.matview FROM freshcrm.projection AS p JOIN up ON up.relid = p.source "
    "ORDER BY p.id, up.matview";

// Nothing says whose an index was that is gone. Locks no table: of most it is none of ours.
constexpr const char* kWithoutKey =
    "SELECT p.id FROM pg_event_trigger_dropped_objects() AS e "
    "JOIN pg_namespace AS n ON n.nspname = e.schema_name "
    "JOIN pg_class AS c ON c.relnamespace = n.oid JOIN freshcrm.projection AS p "
    "ON p.target = c.oid AND p.whole = p.target WHERE e.object_type = 'index' "
    "AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisunique "
    "AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL "
    "AND (SELECT array_agg(a.attname ORDER BY a.attname) "
    "FROM unnest(i.indkey[0:i.indnkeyatts - 1]) AS k JOIN pg_attribute AS a "
    "ON a.attrelid = c.oid AND a.attnum = k) = (SELECT array_agg(k ORDER BY k) "
    "FROM unnest(p.key) AS k)) GROUP BY p.id ORDER BY p.id";

int32 IntColumn(uint64 row, int column) {
    bool isnull;
    return DatumGetInt32(
        SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull));
}

List* AddAffected(List* found, uint64 row) {
    bool isnull;
    HeapTuple tuple = SPI_tuptable->vals[row];
    auto* affected = static_cast<Affected*>(palloc(sizeof(Affected)));
    *affected = {IntColumn(row, 1),
                 static_cast<Reach>(IntColumn(row, 2)),
                 DatumGetBool(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 3, &isnull)),
                 DatumGetBool(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 4, &isnull)),
                 DatumGetInt16(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 5, &isnull)),
                 false};
    return lappend(found, affected);
}

// Runs a query as the owner of the definitions, with $1 an array of OIDs. A list of what `read`
// makes of its rows. The plan is kept for the life of the backend.
template <typename Read>
List* Find(SPIPlanPtr* plan, const char* sql, const List* oids, Read read) {
    if (!HasDefinitions()) {
        return NIL;
    }
    List* found = NIL;
    MemoryContext caller = CurrentMemoryContext;
    const pg::OwnerScope scope = pg::BeginAsOwner(OwnerOfDefinitions());
    SPI_connect();
    if (*plan == nullptr) {
        Oid type = OIDARRAYOID;
        *plan = pg::PrepareKept(sql, 1, &type, CacheMemoryContext);
    }
    Datum argument = OidArray(oids);
    pg::PushFreshSnapshot();
    pg::Select(*plan, &argument, nullptr);
    MemoryContext spi = MemoryContextSwitchTo(caller);
    for (uint64 i = 0; i < SPI_processed; ++i) {
        found = read(found, i);
    }
    MemoryContextSwitchTo(spi);
    PopActiveSnapshot();
    SPI_finish();
    pg::EndAsOwner(scope);
    return found;
}

}  // namespace

List* AffectedByCommands(const List* moved) {
    static SPIPlanPtr plan = nullptr;
    return Find(&plan, psprintf(kAffected, kCommands), moved, AddAffected);
}

List* AffectedByDrops() {
    static SPIPlanPtr plan = nullptr;
    return Find(&plan, psprintf(kAffected, kDrops), NIL, AddAffected);
}

List* ReadersOfRefreshed(Oid named) {
    static SPIPlanPtr plan = nullptr;
    return Find(&plan, kReaders, list_make1_oid(named), [](List* found, uint64 row) {
        bool isnull;
        auto* reader = static_cast<Reader*>(palloc(sizeof(Reader)));
        *reader = {IntColumn(row, 1),
                   DatumGetObjectId(
                       SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 2, &isnull))};
        return lappend(found, reader);
    });
}

List* AffectedByDroppedIndexes() {
    static SPIPlanPtr plan = nullptr;
    return Find(&plan, kWithoutKey, NIL,
                [](List* found, uint64 row) { return lappend_int(found, IntColumn(row, 1)); });
}

}  // namespace freshcrm::projection
