#include "projection/ordering.hpp"

#include "pg/names.hpp"
#include "pg/own_functions.hpp"
#include "pg/tree_walker.hpp"

extern "C" {
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_type.h"
#include "rewrite/rewriteHandler.h"
#include "utils/fmgroids.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
}

#include <algorithm>
#include <iterator>

namespace freshcrm::projection {

namespace {

[[noreturn]] void RefuseUnordered(const char* what, const char* name, const char* reason,
                                  const char* hint) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot trace %s without ORDER BY in %s", what, name),
                    errdetail("%s", reason), errhint("%s", hint)));
    pg_unreachable();
}

template <typename T, Size N>
bool IsIn(const T (&values)[N], T value) {
    return std::find(std::begin(values), std::end(values), value) != std::end(values);
}

// Rows that are equal in DISTINCT ON differ in nothing else, or ORDER BY says which one is first.
bool ChoosesByOrder(const Query* query) {
    ListCell* cell;
    foreach (cell, query->targetList) {
        const auto* entry = static_cast<TargetEntry*>(lfirst(cell));
        bool distinct = false;
        ListCell* clause;
        foreach (clause, query->distinctClause) {
            distinct = distinct || static_cast<SortGroupClause*>(lfirst(clause))->tleSortGroupRef ==
                                       entry->ressortgroupref;
        }
        if (!distinct) {
            return list_length(query->sortClause) > list_length(query->distinctClause);
        }
    }
    return true;
}

// These see rows that ORDER BY holds equal as one.
constexpr Oid kRanks[] = {F_RANK_, F_DENSE_RANK_, F_PERCENT_RANK_, F_CUME_DIST_};

// Whether the rows of the window's frame are some of the partition, counted off.
bool CountsRows(const WindowClause* window) {
    constexpr int kAll =
        FRAMEOPTION_START_UNBOUNDED_PRECEDING | FRAMEOPTION_END_UNBOUNDED_FOLLOWING;
    return (window->frameOptions & FRAMEOPTION_ROWS) != 0 && (window->frameOptions & kAll) != kAll;
}

struct Windows {
    const Query* query;
    const char* name;
};

bool CheckWindow(Node* node, void* context) {
    const auto* windows = static_cast<Windows*>(context);
    if (node == nullptr || IsA(node, Query)) {
        return false;
    }
    if (IsA(node, WindowFunc)) {
        const auto* call = reinterpret_cast<WindowFunc*>(node);
        const auto* window = static_cast<WindowClause*>(
            list_nth(windows->query->windowClause, static_cast<int>(call->winref) - 1));
        const bool by_order = call->winagg ? CountsRows(window) : !IsIn(kRanks, call->winfnoid);
        if (window->orderClause == NIL && by_order) {
            RefuseUnordered(psprintf("%s()", get_func_name(call->winfnoid)), windows->name,
                            "Its result depends on where the rows of the partition lie.",
                            "Give its window an ORDER BY.");
        }
    }
    return pg::WalkExpressionTree(node, CheckWindow, context);
}

}  // namespace

void CheckOrdered(const Query* query, const char* name) {
    if ((query->limitCount != nullptr || query->limitOffset != nullptr) &&
        query->sortClause == NIL) {
        RefuseUnordered("LIMIT", name, "Which rows it returns depends on where they lie.",
                        "Give the query an ORDER BY.");
    }
    if (query->hasDistinctOn && !ChoosesByOrder(query)) {
        RefuseUnordered(
            "DISTINCT ON", name, "Which rows it returns depends on where they lie.",
            "Give the query an ORDER BY that goes on after the columns of DISTINCT ON.");
    }
    Windows windows{query, name};
    (void)CheckWindow(reinterpret_cast<Node*>(query->targetList), &windows);
}

namespace {

// Where an aggregate is met.
struct Look {
    List** said;  // of C strings: what has been said
    const char* view;
    const char* column;  // of the view or a subquery in FROM; null: not known yet, or a condition
};

void NoticeOrder(const Look& look, const char* detail, const char* hint) {
    const char* what = look.column == nullptr
                           ? psprintf("a condition of view %s", look.view)
                           : psprintf("column \"%s\" of view %s", look.column, look.view);
    const char* said = psprintf("%s: %s", what, detail);
    ListCell* cell;
    foreach (cell, *look.said) {
        if (strcmp(static_cast<char*>(lfirst(cell)), said) == 0) {
            return;
        }
    }
    *look.said = lappend(*look.said, const_cast<char*>(said));
    ereport(NOTICE, (errmsg("%s depends on the order in which rows are read", what),
                     errdetail("%s", detail), errhint("%s", hint)));
}

constexpr Oid kCollects[] = {
    F_ARRAY_AGG_ANYNONARRAY,  F_ARRAY_AGG_ANYARRAY, F_STRING_AGG_TEXT_TEXT,
    F_STRING_AGG_BYTEA_BYTEA, F_JSON_AGG,           F_JSONB_AGG,
    F_JSON_OBJECT_AGG,        F_JSONB_OBJECT_AGG,   F_XMLAGG,
};
constexpr Oid kExactOfFloats[] = {F_MAX_FLOAT4, F_MAX_FLOAT8, F_MIN_FLOAT4, F_MIN_FLOAT8,
                                  F_REGR_COUNT};

// Floating point numbers are rounded at each step.
bool Rounds(Oid aggregate) {
    Oid* types;
    int count;
    (void)get_func_signature(aggregate, &types, &count);
    return std::any_of(types, types + count,
                       [](Oid type) { return type == FLOAT4OID || type == FLOAT8OID; }) &&
           !IsIn(kExactOfFloats, aggregate);
}

// The aggregates of freshcrm that can be computed in parallel give the same in any order.
bool IsOwnOrderFree(Oid aggregate) {
    HeapTuple tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate));
    if (!HeapTupleIsValid(tuple)) {
        elog(ERROR, "cache lookup failed for aggregate %u", aggregate);
    }
    const bool combined =
        OidIsValid(reinterpret_cast<Form_pg_aggregate>(GETSTRUCT(tuple))->aggcombinefn);
    ReleaseSysCache(tuple);
    return combined && pg::IsOwnFunction(aggregate);
}

void LookAtAggregate(const Look& look, Oid aggregate, const char* where) {
    const char* name = format_procedure(aggregate);
    if (aggregate >= FirstNormalObjectId) {
        if (IsOwnOrderFree(aggregate)) {
            return;
        }
        NoticeOrder(look, psprintf("%s without ORDER BY takes rows as they come.", name),
                    psprintf("Give %s an ORDER BY, unless it gives the same in any order.", where));
    } else if (Rounds(aggregate)) {
        NoticeOrder(look,
                    psprintf("%s without ORDER BY rounds in the order in which rows come, so that "
                             "the last digits can differ.",
                             name),
                    psprintf("Use numeric, or give %s an ORDER BY.", where));
    } else if (IsIn(kCollects, aggregate)) {
        NoticeOrder(look, psprintf("%s without ORDER BY takes rows as they come.", name),
                    psprintf("Give %s an ORDER BY.", where));
    }
}

void LookAtQuery(Query* query, const Look& look);

struct Level {
    const Query* query;
    Look look;
};

bool LookAtNode(Node* node, void* context) {
    const auto* level = static_cast<Level*>(context);
    if (node == nullptr) {
        return false;
    }
    if (IsA(node, SubLink)) {
        const auto* link = reinterpret_cast<SubLink*>(node);
        auto* query = reinterpret_cast<Query*>(link->subselect);
        if (link->subLinkType == ARRAY_SUBLINK && query->sortClause == NIL) {
            NoticeOrder(level->look, "ARRAY(SELECT ...) without ORDER BY takes rows as they come.",
                        "Give its query an ORDER BY.");
        }
        LookAtQuery(query, level->look);
        return LookAtNode(link->testexpr, context);
    }
    if (IsA(node, Aggref)) {
        const auto* call = reinterpret_cast<Aggref*>(node);
        // DISTINCT sorts, too.
        if (call->aggkind == AGGKIND_NORMAL && call->aggorder == NIL && call->aggdistinct == NIL) {
            LookAtAggregate(level->look, call->aggfnoid, "the aggregate");
        }
    } else if (IsA(node, WindowFunc) && reinterpret_cast<WindowFunc*>(node)->winagg) {
        const auto* call = reinterpret_cast<WindowFunc*>(node);
        const auto* window = static_cast<WindowClause*>(
            list_nth(level->query->windowClause, static_cast<int>(call->winref) - 1));
        if (window->orderClause == NIL) {
            LookAtAggregate(level->look, call->winfnoid, "the window");
        }
    }
    return pg::WalkExpressionTree(node, LookAtNode, context);
}

// What a subquery of an expression returns goes into the column of that expression.
void LookAtQuery(Query* query, const Look& look) {
    check_stack_depth();
    Level level{query, look};
    (void)LookAtNode(reinterpret_cast<Node*>(query->jointree), &level);
    (void)LookAtNode(query->havingQual, &level);
    ListCell* cell;
    foreach (cell, query->targetList) {
        const auto* entry = static_cast<TargetEntry*>(lfirst(cell));
        Level of_column{
            query, {look.said, look.view, look.column != nullptr ? look.column : entry->resname}};
        (void)LookAtNode(reinterpret_cast<Node*>(entry->expr), &of_column);
    }
    foreach (cell, query->rtable) {
        const auto* entry = static_cast<RangeTblEntry*>(lfirst(cell));
        if (entry->rtekind == RTE_SUBQUERY) {
            LookAtQuery(entry->subquery, look);
        }
    }
    foreach (cell, query->cteList) {
        LookAtQuery(reinterpret_cast<Query*>(static_cast<CommonTableExpr*>(lfirst(cell))->ctequery),
                    look);
    }
}

}  // namespace

void NoticeUnordered(const Oid* views, int count) {
    List* said = NIL;
    for (int i = 0; i < count; ++i) {
        Relation view = table_open(views[i], AccessShareLock);
        LookAtQuery(get_view_query(view), {&said, pg::RelationForMessage(views[i]), nullptr});
        table_close(view, NoLock);
    }
}

}  // namespace freshcrm::projection
