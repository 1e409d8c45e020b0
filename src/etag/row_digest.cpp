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

// Mostly there is nothing in it.
void Clear(MemoryContext scratch) {
    if (!scratch->isReset) {
        MemoryContextReset(scratch);
    }
}

// Runs `add`, which adds a row, and digests it. After an error the scratch context holds the
// garbage of one row, until the next.
template <typename F>
core::Sha256Digest Digest(const Work& work, F add) {
    Clear(work.scratch);
    const MemoryContext caller = MemoryContextSwitchTo(work.scratch);
    pg::InClientEncoding(CanonicalEncoding(), add);
    MemoryContextSwitchTo(caller);
    Clear(work.scratch);
    return work.digest->Finish();
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

core::Sha256Digest DigestRow(RowDigester* digester, const Datum* values, const bool* nulls) {
    const Work& work = digester->work;
    return Digest(work, [=] {
        work.digest->Begin(digester->plan->live);
        DigestColumns(work.digest, digester->plan, values, nulls);
    });
}

void DigestRow(RowDigester* digester, const Datum* values, const bool* nulls, char* hex) {
    core::WriteHex(DigestRow(digester, values, nulls), hex);
    hex[core::kSha256HexChars] = '\0';
}

core::Sha256Digest DigestElements(RowDigester* digester, const Datum* values, const bool* nulls,
                                  int count) {
    const Work& work = digester->work;
    return Digest(work, [=] {
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

core::Sha256Digest DigestRecord(RecordDigester* digester, HeapTupleHeader record) {
    const Work& work = digester->work;
    return Digest(work, [=] {
        const RecordPlan* plan = digester->plan;
        OpenRecord(digester->plan, record);
        work.digest->Begin(plan->row->live);
        DigestColumns(work.digest, plan->row, plan->values, plan->nulls);
    });
}

}  // namespace freshcrm::etag
