#include "projection/explain.hpp"

#include "pg/names.hpp"
#include "pg/owner_scope.hpp"
#include "pg/relabel.hpp"
#include "projection/applied.hpp"
#include "projection/dependencies.hpp"
#include "projection/options.hpp"
#include "projection/wanted_index.hpp"

extern "C" {
#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "commands/defrem.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/prep.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/ruleutils.h"
#include "utils/typcache.h"
}

namespace freshcrm::projection {

namespace {

const IndexColumn& ColumnAt(const WantedIndex& wanted, int i) {
    return *static_cast<IndexColumn*>(list_nth(wanted.columns, i));
}

// Whether the default operator class of the column's type, for an access method, has its operator.
bool Supports(const WantedIndex& wanted, const IndexColumn& column, Oid access_method) {
    const Oid type = column.expression == nullptr
                         ? get_atttype(wanted.relid, column.attnum)
                         : exprType(reinterpret_cast<Node*>(column.expression));
    const Oid opclass = GetDefaultOpClass(type, access_method);
    return OidIsValid(opclass) && op_in_opfamily(column.opno, get_opclass_family(opclass));
}

bool AllSupport(const WantedIndex& wanted, Oid access_method) {
    ListCell* cell;
    foreach (cell, wanted.columns) {
        if (!Supports(wanted, *static_cast<IndexColumn*>(lfirst(cell)), access_method)) {
            return false;
        }
    }
    return true;
}

// CREATE INDEX …, or null when no kind of index has the operators.
const char* Ddl(const WantedIndex& wanted) {
    const bool btree = AllSupport(wanted, BTREE_AM_OID);
    if (!btree && !(list_length(wanted.columns) == 1 && AllSupport(wanted, HASH_AM_OID))) {
        return nullptr;
    }
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfo(&sql, "CREATE INDEX ON %s %s(", pg::QualifiedRelation(wanted.relid),
                     btree ? "" : "USING hash ");
    for (int i = 0; i < list_length(wanted.columns); ++i) {
        const IndexColumn& column = ColumnAt(wanted, i);
        appendStringInfoString(&sql, i > 0 ? ", " : "");
        if (column.expression == nullptr) {
            appendStringInfoString(&sql, pg::QuotedColumn(wanted.relid, column.attnum));
        } else {
            List* context = deparse_context_for(get_rel_name(wanted.relid), wanted.relid);
            appendStringInfo(
                &sql, "(%s)",
                deparse_expression(static_cast<Node*>(copyObjectImpl(column.expression)), context,
                                   false, false));
        }
    }
    appendStringInfoChar(&sql, ')');
    return sql.data;
}

// An index column, its expression as the server keeps it: constants folded.
struct Existing {
    AttrNumber attnum;
    Node* expression;
    Oid family;
    Oid collation;
};

bool Fits(const Existing& existing, const IndexColumn& wanted) {
    if (!op_in_opfamily(wanted.opno, existing.family) ||
        (OidIsValid(existing.collation) && existing.collation != wanted.collation)) {
        return false;
    }
    if (existing.attnum != 0 || wanted.expression == nullptr) {
        return existing.attnum == wanted.attnum;
    }
    Node* expression = eval_const_expressions(nullptr, reinterpret_cast<Node*>(wanted.expression));
    return equal(pg::WithoutRelabel(existing.expression), pg::WithoutRelabel(expression));
}

// How many of the index's leading columns are different ones of those wanted.
int LeadingWanted(Relation index, const WantedIndex& wanted) {
    List* expressions = RelationGetIndexExpressions(index);
    Bitmapset* used = nullptr;
    for (int i = 0; i < index->rd_index->indnkeyatts; ++i) {
        Existing existing{index->rd_index->indkey.values[i], nullptr, index->rd_opfamily[i],
                          index->rd_indcollation[i]};
        if (existing.attnum == 0) {
            existing.expression = static_cast<Node*>(linitial(expressions));
            expressions = list_delete_first(expressions);
        }
        int found = -1;
        for (int j = 0; j < list_length(wanted.columns) && found < 0; ++j) {
            if (!bms_is_member(j, used) && Fits(existing, ColumnAt(wanted, j))) {
                found = j;
            }
        }
        if (found < 0) {
            break;
        }
        used = bms_add_member(used, found);
    }
    return bms_num_members(used);
}

// What the query says of the rows, as the server keeps predicates: constants folded, ANDs flat.
List* Canonical(const List* quals) {
    auto* conjunction =
        reinterpret_cast<Node*>(make_ands_explicit(static_cast<List*>(copyObjectImpl(quals))));
    conjunction = eval_const_expressions(nullptr, conjunction);
    return make_ands_implicit(canonicalize_qual(reinterpret_cast<Expr*>(conjunction), false));
}

// A unique index serves with fewer columns: it leaves one row.
bool Serves(Relation index, const WantedIndex& wanted) {
    const Oid method = index->rd_rel->relam;
    if (!index->rd_index->indisvalid || (method != BTREE_AM_OID && method != HASH_AM_OID)) {
        return false;
    }
    List* predicate = RelationGetIndexPredicate(index);
    if (predicate != NIL && !predicate_implied_by(predicate, Canonical(wanted.quals), false)) {
        return false;
    }
    const int leading = LeadingWanted(index, wanted);
    return leading == list_length(wanted.columns) ||
           (index->rd_index->indisunique && leading == index->rd_index->indnkeyatts);
}

bool Exists(const WantedIndex& wanted) {
    Relation table = table_open(wanted.relid, AccessShareLock);
    bool found = false;
    ListCell* cell;
    foreach (cell, RelationGetIndexList(table)) {
        Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        found = found || Serves(index, wanted);
        index_close(index, AccessShareLock);
    }
    table_close(table, AccessShareLock);
    return found;
}

Datum WatchedColumns(const Source& source) {
    auto* names = static_cast<Datum*>(
        palloc(sizeof(Datum) * static_cast<Size>(bms_num_members(source.watched) + 1)));
    int count = 0;
    for (int attnum = bms_next_member(source.watched, -1); attnum >= 0;
         attnum = bms_next_member(source.watched, attnum)) {
        const char* name = get_attname(source.relid, static_cast<AttrNumber>(attnum), true);
        if (name != nullptr) {
            names[count++] = DirectFunctionCall1(namein, CStringGetDatum(name));
        }
    }
    return PointerGetDatum(
        construct_array(names, count, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR));
}

// Where rows of the result are put, and what all rows of a base table have.
struct Explanation {
    const Source* source;
    Datum watched;
    Datum applied;
    ReturnSetInfo* result;
};

// A row of the result; `query` and `index` may be null.
void AddRow(const Explanation& of, const char* traced, const char* query,
            const WantedIndex* index) {
    const char* ddl = nullptr;
    bool exists = false;
    if (index != nullptr) {
        ddl = Ddl(*index);
        exists = Exists(*index);
    }
    Datum values[] = {ObjectIdGetDatum(of.source->relid),
                      CStringGetTextDatum(traced),
                      query != nullptr ? CStringGetTextDatum(query) : Datum{0},
                      of.watched,
                      ddl != nullptr ? CStringGetTextDatum(ddl) : Datum{0},
                      BoolGetDatum(exists),
                      of.applied};
    bool nulls[] = {false, false, query == nullptr, false, ddl == nullptr, ddl == nullptr, false};
    tuplestore_putvalues(of.result->setResult, of.result->setDesc, values, nulls);
}

// Rows for indexes; one without when there is none.
void AddRows(const Explanation& of, const char* traced, const char* query, const List* indexes) {
    if (indexes == NIL) {
        AddRow(of, traced, query, nullptr);
    }
    ListCell* cell;
    foreach (cell, indexes) {
        AddRow(of, traced, query, static_cast<WantedIndex*>(lfirst(cell)));
    }
}

void ExplainSource(const Explanation& of) {
    const Source& source = *of.source;
    const char* traced = "mapped";
    bool own_row = source.reads != NIL;  // one without a mapping query
    if (const Fallback* fallback = source.fallback) {
        traced = fallback->query != nullptr ? "query" : "full";
        own_row = own_row || fallback->query == nullptr;
        if (fallback->query != nullptr) {
            AddRow(of, traced, fallback->query, nullptr);
        }
    }
    for (int i = 0; i < source.path_count; ++i) {
        const Path& path = source.paths[i];
        if (path.direct()) {
            traced = "direct";
            own_row = true;
        } else {
            AddRows(of, "mapped", path.query_shown, path.indexes);
        }
    }
    if (own_row) {
        AddRows(of, traced, nullptr, source.reads);
    }
}

// Calls `use` for each index that is wanted.
template <typename Use>
void ForEachWanted(const Lineage* lineage, Use use) {
    for (int i = 0; i < lineage->source_count; ++i) {
        const Source& source = lineage->sources[i];
        for (int j = 0; j < source.path_count; ++j) {
            ListCell* cell;
            foreach (cell, source.paths[j].indexes) {
                use(*static_cast<WantedIndex*>(lfirst(cell)));
            }
        }
        ListCell* cell;
        foreach (cell, source.reads) {
            use(*static_cast<WantedIndex*>(lfirst(cell)));
        }
    }
}

}  // namespace

void ExplainLineage(const Lineage* lineage, ReturnSetInfo* result) {
    for (int i = 0; i < lineage->source_count; ++i) {
        const Source& source = lineage->sources[i];
        ExplainSource({&source, WatchedColumns(source), Applied(lineage, source), result});
    }
}

void ExplainView(Oid view, const List* keys, Datum options, ReturnSetInfo* result) {
    if (!pg_class_ownercheck(view, GetUserId())) {
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_VIEW, get_rel_name(view));
    }
    LockRelationOid(view, AccessShareLock);
    Relation relation = relation_open(view, NoLock);
    const Oid owner = relation->rd_rel->relowner;
    relation_close(relation, NoLock);

    const pg::OwnerScope scope = pg::BeginAsOwner(owner);
    const List* tables = BaseTables(view);
    CheckOptions(options, tables);
    const Lineage* lineage =
        TraceLineage(view, keys, Fallbacks(options, FallbackTables(options, tables)));
    ExplainLineage(lineage, result);
    pg::EndAsOwner(scope);
}

void NoticeMissingIndexes(const Lineage* lineage) {
    List* said = NIL;
    ForEachWanted(lineage, [&](const WantedIndex& wanted) {
        const char* ddl = Ddl(wanted);
        if (ddl == nullptr || Exists(wanted)) {
            return;
        }
        ListCell* cell;
        foreach (cell, said) {
            if (strcmp(static_cast<char*>(lfirst(cell)), ddl) == 0) {
                return;
            }
        }
        said = lappend(said, const_cast<char*>(ddl));
        ereport(NOTICE, (errmsg("table %s lacks an index that the projection wants",
                                pg::RelationForMessage(wanted.relid)),
                         errhint("%s;", ddl)));
    });
}

}  // namespace freshcrm::projection
