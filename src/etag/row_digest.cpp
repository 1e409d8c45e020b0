#include "etag/row_digest.hpp"

#include "pg/encoding.hpp"
#include "pg/memory.hpp"

namespace freshcrm::etag {

namespace {

struct Work {
    core::RowDigest* digest;
    MemoryContext scratch;  // garbage of send functions; empty between rows
};

MemoryContext MakeContext(MemoryContext keep) {
    return AllocSetContextCreate(keep, "freshcrm row digester", ALLOCSET_SMALL_SIZES);
}

Work MakeWork(MemoryContext context) {
    return {pg::NewIn<core::RowDigest>(context),
            AllocSetContextCreate(context, "freshcrm row digest", ALLOCSET_DEFAULT_SIZES)};
}

// Runs `add`, which adds a row, and writes its digest. After an error the scratch context holds the
// garbage of one row, until the next.
template <typename F>
void Digest(const Work& work, char* hex, F add) {
    MemoryContextReset(work.scratch);
    const MemoryContext caller = MemoryContextSwitchTo(work.scratch);
    pg::InClientEncoding(CanonicalEncoding(), add);
    MemoryContextSwitchTo(caller);
    MemoryContextReset(work.scratch);
    work.digest->Finish(hex);
    hex[core::kSha256HexChars] = '\0';
}

}  // namespace

struct RowDigester {
    Work work;
    RowPlan* plan;
};

struct RecordDigester {
    Work work;
    RecordPlan* plan;
};

RowDigester* MakeRowDigester(TupleDesc desc, MemoryContext keep) {
    const MemoryContext context = MakeContext(keep);
    auto* digester = static_cast<RowDigester*>(MemoryContextAlloc(context, sizeof(RowDigester)));
    digester->plan = MakeRowPlan(desc, context);
    digester->work = MakeWork(context);
    return digester;
}

void DigestRow(RowDigester* digester, const Datum* values, const bool* nulls, char* hex) {
    const Work& work = digester->work;
    Digest(work, hex, [=] {
        work.digest->Begin(digester->plan->live);
        DigestColumns(work.digest, digester->plan, values, nulls);
    });
}

void DigestElements(RowDigester* digester, const Datum* values, const bool* nulls, int count,
                    char* hex) {
    const Work& work = digester->work;
    Digest(work, hex, [=] {
        work.digest->Begin(count);
        for (int i = 0; i < count; i++) {
            DigestValue(work.digest, digester->plan->columns[0], values[i], nulls[i]);
        }
    });
}

RecordDigester* MakeRecordDigester(MemoryContext keep) {
    const MemoryContext context = MakeContext(keep);
    auto* digester =
        static_cast<RecordDigester*>(MemoryContextAlloc(context, sizeof(RecordDigester)));
    digester->plan = MakeRecordPlan(context);
    digester->work = MakeWork(context);
    return digester;
}

void DigestRecord(RecordDigester* digester, HeapTupleHeader record, char* hex) {
    const Work& work = digester->work;
    Digest(work, hex, [=] {
        const RecordValues row = OpenRecord(digester->plan, record);
        work.digest->Begin(row.plan->live);
        DigestColumns(work.digest, row.plan, row.values, row.nulls);
    });
}

}  // namespace freshcrm::etag
