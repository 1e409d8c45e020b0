#include "projection/target.hpp"

#include "pg/join.hpp"
#include "pg/names.hpp"
#include "pg/spi.hpp"
#include "projection/projection.hpp"

extern "C" {
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "utils/acl.h"
#include "utils/syscache.h"
}

namespace freshcrm::projection {

namespace {

// COLLATE clause of a column, or nothing where it is that of the type.
const char* CollateClause(const FormData_pg_attribute* column) {
    if (!OidIsValid(column->attcollation) ||
        column->attcollation == get_typcollation(column->atttypid)) {
        return "";
    }
    HeapTuple tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(column->attcollation));
    if (!HeapTupleIsValid(tuple)) {
        elog(ERROR, "cache lookup failed for collation %u", column->attcollation);
    }
    const auto* form = reinterpret_cast<Form_pg_collation>(GETSTRUCT(tuple));
    const char* clause =
        psprintf(" COLLATE %s", quote_qualified_identifier(get_namespace_name(form->collnamespace),
                                                           NameStr(form->collname)));
    ReleaseSysCache(tuple);
    return clause;
}

void CheckNotBookkeeping(const FormData_pg_attribute* column) {
    if (strcmp(NameStr(column->attname), kUpdatedAt) == 0 ||
        strcmp(NameStr(column->attname), kVersionEtag) == 0) {
        ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
                        errmsg("the view has a column \"%s\"", NameStr(column->attname)),
                        errdetail("A projection adds columns %s and %s of its own.", kUpdatedAt,
                                  kVersionEtag),
                        errhint("Give the column another name in the view.")));
    }
}

[[noreturn]] void RaiseMisfit(Oid target, const char* detail) {
    ereport(
        ERROR,
        (errcode(ERRCODE_DUPLICATE_TABLE),
         errmsg("table %s exists and does not fit the view", pg::RelationForMessage(target)),
         errdetail("%s", detail), errhint("Drop it, change it to fit, or name another target.")));
    pg_unreachable();
}

// Checks that `target` has a column of this name and type, typmod and collation included.
void CheckColumn(Oid target, const char* name, Oid type, int32 typmod, Oid collation) {
    const AttrNumber attnum = get_attnum(target, name);
    if (attnum == InvalidAttrNumber) {
        RaiseMisfit(target, psprintf("It has no column \"%s\".", name));
    }
    Oid found_type;
    int32 found_typmod;
    Oid found_collation;
    get_atttypetypmodcoll(target, attnum, &found_type, &found_typmod, &found_collation);
    if (found_type != type || found_typmod != typmod || found_collation != collation) {
        RaiseMisfit(target,
                    psprintf("Its column \"%s\" has type %s, that of the view has type %s%s.", name,
                             format_type_with_typemod(found_type, found_typmod),
                             format_type_with_typemod(type, typmod),
                             found_collation != collation ? " or another collation" : ""));
    }
}

// Whether an index, other than `without`, has exactly these columns, in any order, and none of
// their values twice.
bool HasUniqueIndex(Relation table, const Bitmapset* keys, Oid without) {
    bool found = false;
    ListCell* cell;
    foreach (cell, RelationGetIndexList(table)) {
        HeapTuple tuple = lfirst_oid(cell) == without
                              ? nullptr
                              : SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
        if (!HeapTupleIsValid(tuple)) {
            continue;
        }
        const auto* index = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
        Bitmapset* columns = nullptr;
        for (int i = 0; i < index->indnkeyatts; ++i) {
            columns = bms_add_member(columns, index->indkey.values[i]);
        }
        found = found ||
                (index->indisunique && index->indimmediate && index->indisvalid &&
                 bms_equal(columns, keys) && heap_attisnull(tuple, Anum_pg_index_indpred, nullptr));
        ReleaseSysCache(tuple);
    }
    return found;
}

const char* KeyList(const List* keys) {
    return pg::JoinNames(keys, ", ", quote_identifier);
}

void CheckKeyOfTarget(Relation table, const List* keys, Oid without = InvalidOid) {
    const Oid target = RelationGetRelid(table);
    Bitmapset* attnums = nullptr;
    bool nullable = false;
    ListCell* cell;
    foreach (cell, keys) {
        const AttrNumber attnum = get_attnum(target, static_cast<char*>(lfirst(cell)));
        attnums = bms_add_member(attnums, attnum);
        nullable = nullable || !TupleDescAttr(RelationGetDescr(table), attnum - 1)->attnotnull;
    }
    if (nullable || !HasUniqueIndex(table, attnums, without)) {
        ereport(
            ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("(%s) is not a key of table %s", KeyList(keys), pg::RelationForMessage(target)),
             errdetail("A projection finds its rows by the key, which needs a unique index and "
                       "must not be NULL."),
             errhint("Make it the primary key of the table.")));
    }
}

// "name type COLLATE …"
const char* ColumnDefinition(const FormData_pg_attribute* column) {
    return psprintf("%s %s%s", quote_identifier(NameStr(column->attname)),
                    pg::QualifiedType(column->atttypid, column->atttypmod), CollateClause(column));
}

// Policies that bind the owner would hide rows from upkeep, which runs as the owner.
bool ForcesRowSecurity(Oid target) {
    Relation table = table_open(target, AccessShareLock);
    const bool forces = table->rd_rel->relrowsecurity && table->rd_rel->relforcerowsecurity;
    table_close(table, NoLock);
    return forces;
}

// Why a table cannot hold a projection, or null.
const char* UnfitKind(Oid target) {
    if (get_rel_relkind(target) != RELKIND_RELATION || get_rel_relispartition(target) ||
        has_subclass(target) || has_superclass(target)) {
        return "It is not an ordinary table by itself.";
    }
    if (get_rel_persistence(target) != RELPERSISTENCE_PERMANENT) {
        return "It is temporary or unlogged, and so does not survive what the tables of the view "
               "survive.";
    }
    if (ForcesRowSecurity(target)) {
        return "It forces row-level security on its owner, as whom upkeep reads and writes it.";
    }
    return nullptr;
}

bool HasColumn(Oid target, const char* name, Oid type) {
    const AttrNumber attnum = get_attnum(target, name);
    return attnum != InvalidAttrNumber && get_atttype(target, attnum) == type;
}

}  // namespace

List* ColumnNames(Oid relid) {
    Relation relation = table_open(relid, AccessShareLock);
    List* names = NIL;
    for (int i = 0; i < RelationGetNumberOfAttributes(relation); ++i) {
        names =
            lappend(names, pstrdup(NameStr(TupleDescAttr(RelationGetDescr(relation), i)->attname)));
    }
    table_close(relation, NoLock);
    return names;
}

void AddColumns(Oid source, Oid target, int count) {
    Relation view = table_open(source, AccessShareLock);
    StringInfoData sql;
    initStringInfo(&sql);
    for (int i = count; i < RelationGetNumberOfAttributes(view); ++i) {
        const auto* column = TupleDescAttr(RelationGetDescr(view), i);
        CheckNotBookkeeping(column);
        if (!HasColumn(target, NameStr(column->attname), column->atttypid)) {
            appendStringInfo(&sql, "%s ADD COLUMN %s", sql.len > 0 ? "," : "",
                             ColumnDefinition(column));
        }
    }
    table_close(view, NoLock);
    if (sql.len > 0) {
        pg::RunUtility(psprintf("ALTER TABLE %s%s", pg::QualifiedRelation(target), sql.data));
    }
}

void CheckStillTarget(Oid target, const List* keys, Oid without) {
    const char* unfit = UnfitKind(target);
    if (unfit == nullptr && (!HasColumn(target, kUpdatedAt, TIMESTAMPTZOID) ||
                             !HasColumn(target, kVersionEtag, TEXTOID))) {
        unfit = psprintf("It needs its columns %s and %s.", kUpdatedAt, kVersionEtag);
    }
    if (unfit != nullptr) {
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("table %s is the table of a projection", pg::RelationForMessage(target)),
                 errdetail("%s", unfit),
                 errhint("Drop the projection first, with freshcrm.drop_projection().")));
    }
    Relation table = table_open(target, AccessShareLock);
    CheckKeyOfTarget(table, keys, without);
    table_close(table, NoLock);
}

Oid CreateTarget(const TargetShape& shape) {
    Relation view = table_open(shape.source, AccessShareLock);
    TupleDesc columns = RelationGetDescr(view);
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfo(&sql, "CREATE TABLE %s (",
                     quote_qualified_identifier(get_namespace_name(shape.schema), shape.name));
    for (int i = 0; i < columns->natts; ++i) {
        const auto* column = TupleDescAttr(columns, i);
        CheckNotBookkeeping(column);
        appendStringInfo(&sql, "%s, ", ColumnDefinition(column));
    }
    appendStringInfo(&sql,
                     "%s timestamptz NOT NULL DEFAULT now(), %s text NOT NULL, PRIMARY KEY (%s)) "
                     "WITH (fillfactor = %d)",
                     kUpdatedAt, kVersionEtag, KeyList(shape.keys), shape.fillfactor);
    table_close(view, NoLock);
    pg::RunUtility(sql.data);
    return get_relname_relid(shape.name, shape.schema);
}

void CheckAdoptable(const TargetShape& shape, Oid target) {
    if (const char* unfit = UnfitKind(target)) {
        RaiseMisfit(target, unfit);
    }
    if (!pg_class_ownercheck(target, GetUserId())) {
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(target));
    }
    Relation view = table_open(shape.source, AccessShareLock);
    Relation table = table_open(target, AccessShareLock);
    TupleDesc columns = RelationGetDescr(view);
    for (int i = 0; i < columns->natts; ++i) {
        const auto* column = TupleDescAttr(columns, i);
        CheckNotBookkeeping(column);
        CheckColumn(target, NameStr(column->attname), column->atttypid, column->atttypmod,
                    column->attcollation);
    }
    CheckColumn(target, kUpdatedAt, TIMESTAMPTZOID, -1, InvalidOid);
    CheckColumn(target, kVersionEtag, TEXTOID, -1, DEFAULT_COLLATION_OID);
    for (int i = 0; i < RelationGetDescr(table)->natts; ++i) {
        const auto* column = TupleDescAttr(RelationGetDescr(table), i);
        const char* name = NameStr(column->attname);
        if (!column->attisdropped && get_attnum(shape.source, name) == InvalidAttrNumber &&
            strcmp(name, kUpdatedAt) != 0 && strcmp(name, kVersionEtag) != 0) {
            RaiseMisfit(target, psprintf("It has a column \"%s\", which the view has not.", name));
        }
    }
    CheckKeyOfTarget(table, shape.keys);
    table_close(table, NoLock);
    table_close(view, NoLock);
}

}  // namespace freshcrm::projection
