#include "leadstats/event_stats.hpp"

#include "leadstats/arguments.hpp"
#include "pg/error.hpp"

// The standard library after the server's headers.
#include <algorithm>
#include <cstring>
#include <string>

namespace freshcrm::leadstats {

namespace {

constexpr std::size_t kFirstRoom = 8;

// Makes room for twice as many messages, or for as many as there can be.
void MakeRoom(core::LatestMessages* latest, MemoryContext context) {
    const std::size_t room = std::clamp<std::size_t>(std::size_t{2} * latest->room, kFirstRoom,
                                                     core::LatestMessages::kMostRoom);
    const std::size_t bytes = room * sizeof(core::Message);
    latest->messages = static_cast<core::Message*>(latest->messages == nullptr
                                                       ? MemoryContextAlloc(context, bytes)
                                                       : repalloc(latest->messages, bytes));
    latest->room = static_cast<std::uint32_t>(room);
}

void AddMessage(core::LatestMessages* latest, core::Message message, MemoryContext context) {
    if (latest->IsFull()) {
        MakeRoom(latest, context);
    }
    latest->Add(message);
}

std::size_t CountCutoffs(const ArrayType* array) {
    if (array == nullptr || ARR_NDIM(array) == 0) {
        return 0;
    }
    if (ARR_NDIM(array) > 1) {
        throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                        "cutoffs must be an array of one dimension")
            .Detail("It has " + std::to_string(ARR_NDIM(array)) + " dimensions.");
    }
    const auto count = static_cast<std::size_t>(ARR_DIMS(array)[0]);
    if (count > core::EventStats::kMostCutoffs) {
        throw pg::Error(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "too many cutoffs")
            .Detail("There are " + std::to_string(count) + ", and may be " +
                    std::to_string(core::EventStats::kMostCutoffs) +
                    ": each takes memory in every group.")
            .Hint("For a series of windows, group by date_bin() or date_trunc() of the time.");
    }
    return count;
}

// Integers on their way into and out of bytes, which are not aligned.
class Writer {
  public:
    explicit Writer(char* bytes) : next_(bytes) {}

    void Write(std::int64_t number) {
        std::memcpy(next_, &number, sizeof(number));
        next_ += sizeof(number);
    }

  private:
    char* next_;
};

class Reader {
  public:
    explicit Reader(const bytea* stored)
        : next_(VARDATA_ANY(stored)), end_(next_ + VARSIZE_ANY_EXHDR(stored)) {}

    std::int64_t Read() {
        std::int64_t number;
        Check(1);
        std::memcpy(&number, next_, sizeof(number));
        next_ += sizeof(number);
        return number;
    }
    // A number of things that are up to `most`.
    std::size_t ReadSize(std::size_t most) {
        const std::int64_t size = Read();
        if (size < 0 || static_cast<std::size_t>(size) > most) {
            Refuse();
        }
        return static_cast<std::size_t>(size);
    }
    void Check(std::size_t numbers) const {
        if (static_cast<std::size_t>(end_ - next_) < numbers * sizeof(std::int64_t)) {
            Refuse();
        }
    }
    void CheckEnd() const {
        if (next_ != end_) {
            Refuse();
        }
    }

  private:
    [[noreturn]] static void Refuse() {
        throw pg::Error(ERRCODE_INVALID_BINARY_REPRESENTATION, "invalid state of event_stats()");
    }

    const char* next_;
    const char* end_;
};

// Stored as: how many cutoffs, each as whether it is null and where it is, the numbers of Store(),
// how many messages, each as its time and whether it is outbound.
std::size_t NumbersOf(const core::EventStats& stats) {
    return 1 + 2 * stats.cutoffs().size + stats.NumbersToStore() + 1 +
           std::size_t{2} * stats.messages().size;
}

core::EventStats* ReadStats(Reader* reader, MemoryContext context) {
    CutoffBuffer buffer;
    const std::size_t size = reader->ReadSize(core::EventStats::kMostCutoffs);
    for (std::size_t i = 0; i < size; ++i) {
        buffer.null[i] = reader->Read() != 0;
        buffer.at[i] = reader->Read();
    }
    const bool any_null = std::find(buffer.null, buffer.null + size, true) != buffer.null + size;
    return NewEventStats({buffer.at, any_null ? buffer.null : nullptr, size}, context);
}

}  // namespace

core::Cutoffs ReadCutoffs(ArrayType* array, CutoffBuffer* buffer) {
    const std::size_t size = CountCutoffs(array);
    if (size == 0) {
        return {};
    }
    const auto* at = reinterpret_cast<const std::int64_t*>(ARR_DATA_PTR(array));
    const bits8* present = ARR_NULLBITMAP(array);
    if (present == nullptr) {
        return {at, nullptr, size};
    }
    for (std::size_t i = 0; i < size; ++i) {
        buffer->null[i] = (present[i / 8] & (1 << (i % 8))) == 0;
        buffer->at[i] = buffer->null[i] ? 0 : *at++;
    }
    return {buffer->at, buffer->null, size};
}

core::EventStats* NewEventStats(const core::Cutoffs& cutoffs, MemoryContext context) {
    return core::EventStats::MakeIn(
        MemoryContextAlloc(context, core::EventStats::MemoryFor(cutoffs)), cutoffs);
}

void AddEvent(core::EventStats* stats, const core::Event& event, MemoryContext context) {
    if (stats->NeedsRoomFor(event)) {
        MakeRoom(&stats->messages(), context);
    }
    stats->Add(event);
}

void CheckCutoffs(const core::EventStats& stats, const core::Cutoffs& cutoffs) {
    if (!(stats.cutoffs() == cutoffs)) {
        RefuseOtherCutoffs();
    }
}

void Merge(core::EventStats* stats, const core::EventStats& other, MemoryContext context) {
    CheckCutoffs(*stats, other.cutoffs());
    stats->MergeCounts(other);
    for (const core::Message& message :
         std::span(other.messages().messages, other.messages().size)) {
        AddMessage(&stats->messages(), message, context);
    }
}

bytea* Serialize(core::EventStats* stats) {
    core::LatestMessages& latest = stats->messages();
    latest.Cut();
    const std::size_t size = VARHDRSZ + NumbersOf(*stats) * sizeof(std::int64_t);
    auto* stored = static_cast<bytea*>(palloc(size));
    SET_VARSIZE(stored, size);
    Writer writer(VARDATA(stored));
    const core::Cutoffs& cutoffs = stats->cutoffs();
    writer.Write(static_cast<std::int64_t>(cutoffs.size));
    for (std::size_t i = 0; i < cutoffs.size; ++i) {
        writer.Write(cutoffs.null != nullptr && cutoffs.null[i] ? 1 : 0);
        writer.Write(cutoffs.at[i]);
    }
    stats->ForEachNumber([&](std::int64_t number) { writer.Write(number); });
    writer.Write(latest.size);
    for (const core::Message& message : std::span(latest.messages, latest.size)) {
        writer.Write(message.at);
        writer.Write(message.outbound ? 1 : 0);
    }
    return stored;
}

core::EventStats* Deserialize(const bytea* stored, MemoryContext context) {
    Reader reader(stored);
    core::EventStats* stats = ReadStats(&reader, context);
    stats->ForEachNumber([&](std::int64_t& number) { number = reader.Read(); });
    const std::size_t messages = reader.ReadSize(core::LatestMessages::kMostRoom);
    reader.Check(2 * messages);
    for (std::size_t i = 0; i < messages; ++i) {
        const std::int64_t at = reader.Read();
        AddMessage(&stats->messages(), {at, reader.Read() != 0}, context);
    }
    reader.CheckEnd();
    return stats;
}

}  // namespace freshcrm::leadstats
