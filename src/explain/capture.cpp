#include "explain/capture.hpp"

#include "explain/print.hpp"
#include "pg/executor.hpp"
#include "pg/memory.hpp"

extern "C" {
#include "executor/instrument.h"
#include "lib/ilist.h"
#include "utils/acl.h"
}

namespace freshcrm::explain {

namespace {

// What is captured now, or null.
Capture* active = nullptr;

// A query that is running and will be captured. It lives in the query's own memory, so that it is
// gone when the query is, however that ends.
struct Watched {
    dlist_node node;  // first
    QueryDesc* query;
    Capture* capture;
    int depth;
    bool visible;
};
dlist_head watched_queries = DLIST_STATIC_INIT(watched_queries);

class Activation {
  public:
    explicit Activation(Capture* capture) : before_(active) { active = capture; }
    Activation(const Activation&) = delete;
    Activation& operator=(const Activation&) = delete;
    ~Activation() { active = before_; }

  private:
    Capture* before_;
};

class Deeper {
  public:
    explicit Deeper(Capture* capture) : capture_(capture) { ++capture_->depth; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    ~Deeper() { --capture_->depth; }

  private:
    Capture* capture_;
};

void Watch(QueryDesc* query) {
    MemoryContext context = query->estate->es_query_cxt;
    auto* watched = static_cast<Watched*>(MemoryContextAlloc(context, sizeof(Watched)));
    // Who asks is asked now: when the query ends the role may be another.
    *watched = {{}, query, active, active->depth, has_privs_of_role(active->user, GetUserId())};
    pg::OnReset(
        context, [](void* of) { dlist_delete(&static_cast<Watched*>(of)->node); }, watched);
    dlist_push_head(&watched_queries, &watched->node);
    if (query->totaltime == nullptr) {
        MemoryContext caller = MemoryContextSwitchTo(context);
        query->totaltime = InstrAlloc(1, INSTRUMENT_ALL, false);
        MemoryContextSwitchTo(caller);
    }
}

const Watched* FindWatched(const QueryDesc* query) {
    const dlist_node* end = &watched_queries.head;
    for (const dlist_node* node = end->next; node != end; node = node->next) {
        const auto* watched = reinterpret_cast<const Watched*>(node);
        if (watched->query == query && watched->capture == active) {
            return watched;
        }
    }
    return nullptr;
}

// Null where there are too many already.
Captured* FindOrAdd(const QueryDesc* query, int depth) {
    const char* text = StatementText(query);
    ListCell* cell;
    foreach (cell, active->statements) {
        auto* captured = static_cast<Captured*>(lfirst(cell));
        if (captured->depth == depth && strcmp(captured->text, text) == 0 &&
            (*text != '\0' || captured->plan == query->plannedstmt)) {
            return captured;
        }
    }
    if (list_length(active->statements) >= kMostStatements) {
        return nullptr;
    }
    MemoryContext caller = MemoryContextSwitchTo(active->context);
    auto* captured = static_cast<Captured*>(palloc0(sizeof(Captured)));
    captured->text = pstrdup(text);
    captured->plan = query->plannedstmt;
    captured->depth = depth;
    captured->context =
        AllocSetContextCreate(active->context, "freshcrm captured plan", ALLOCSET_DEFAULT_SIZES);
    active->statements = lappend(active->statements, captured);
    MemoryContextSwitchTo(caller);
    return captured;
}

void Print(Captured* captured, QueryDesc* query) {
    MemoryContextReset(captured->context);
    MemoryContext caller = MemoryContextSwitchTo(captured->context);
    captured->printer = BeginStatement(active->options);
    PrintText(captured->printer, captured->text);
    if (captured->depth > 1) {
        ExplainPropertyInteger("Depth", nullptr, captured->depth, captured->printer);
    }
    PrintPlan(captured->printer, query);
    MemoryContextSwitchTo(caller);
}

void Record(QueryDesc* query, const Watched& watched) {
    if (!watched.visible) {
        ++active->hidden;
        return;
    }
    Captured* captured = FindOrAdd(query, watched.depth);
    if (captured == nullptr) {
        ++active->left_out;
        return;
    }
    InstrEndLoop(query->totaltime);
    const double elapsed = query->totaltime->total * 1000;
    ++captured->calls;
    captured->total += elapsed;
    if (captured->calls == 1 || elapsed > captured->longest) {
        captured->longest = elapsed;
        Print(captured, query);
    }
}

struct Observer {
    template <typename Next>
    static void Start(QueryDesc* query, int flags, Next next) {
        const bool watched =
            active != nullptr && active->depth > 0 && (flags & EXEC_FLAG_EXPLAIN_ONLY) == 0;
        if (watched) {
            query->instrument_options |= InstrumentOptions(active->options);
        }
        next();
        if (watched) {
            Watch(query);
        }
    }

    template <typename Next>
    static void Within(Next next) {
        if (active == nullptr) {
            next();
            return;
        }
        const Deeper deeper(active);
        pg::Call(next);
    }

    template <typename Next>
    static void End(QueryDesc* query, Next next) {
        const Watched* watched = active != nullptr ? FindWatched(query) : nullptr;
        if (watched != nullptr) {
            Record(query, *watched);
        }
        next();
    }
};

}  // namespace

void InitCapture() {
    pg::ObserveExecutor<Observer>();
}

void RunCaptured(Capture* capture) {
    const Activation activation(capture);
    pg::Call([&] { pg::RunToEnd(capture->query); });
}

}  // namespace freshcrm::explain
