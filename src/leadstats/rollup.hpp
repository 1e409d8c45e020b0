// Packed events (core/event_rollup.hpp) in the server: arguments, errors, and the state in which
// the aggregate event_rollup() collects events.
#pragma once

#include "core/event_rollup.hpp"
#include "pg/error.hpp"

namespace freshcrm::leadstats {

// The width of a bucket in microseconds. Raises 22004 for NULL, and 22023 for an interval that has
// months, which differ, or is shorter than a second.
std::int64_t BucketArgument(FunctionCallInfo fcinfo, int argument);

// The values of a text[], whose elements they stay in. Raises 22004 for NULL, 54023 for too many,
// 2202E for an array of several dimensions.
struct Dimensions {
    std::optional<std::string_view> values[core::kMostDimensions];
    unsigned count;

    core::DimensionValues Values() const { return {values, count}; }
};
void DimensionsArgument(FunctionCallInfo fcinfo, int argument, Dimensions* dimensions);

core::EventTime TimeOfArgument(FunctionCallInfo fcinfo, int argument);

core::Bytes BytesOf(const bytea* value);

// Raises 22023: the value is of another form than the arguments.
[[noreturn]] void RefuseOtherShape(const core::RollupShape& value,
                                   const core::RollupShape& arguments);

// Raises 22P03 for what is no packed value. `f` may hold nothing that has a destructor across calls
// of the server.
template <typename F>
auto Reading(F f) {
    try {
        return f();
    } catch (const core::CorruptRollup& corrupt) {
        throw pg::Error(ERRCODE_INVALID_BINARY_REPRESENTATION, "invalid packed events")
            .Detail(std::string("They cannot be read: ") + corrupt.what() + ".")
            .Hint(
                "Packed events are made by freshcrm.event_rollup() and freshcrm.event_rollup_add() "
                "alone.");
    }
}

// Collects the events of a group. Of the latest it keeps the times; the others are packed whenever
// these take as much room as the packed value does: so its memory is bounded by what the group's
// buckets need, not by its events. Plain, and all that it points to lives in the context it is
// made in.
class RollupState {
  public:
    static RollupState* MakeIn(MemoryContext context, const core::RollupShape& shape);
    // Of a packed value, which is copied.
    static RollupState* MakeIn(MemoryContext context, core::Bytes packed);

    const core::RollupShape& shape() const { return shape_; }
    void Add(const Dimensions& dimensions, core::EventTime time);
    // Of the same shape.
    void Merge(RollupState* other);
    // The packed value of all events, which stays the state's.
    core::Bytes Pack();

  private:
    // Dimensions that pending events have, newest first.
    struct Words {
        Words* next;
        std::uint32_t size;
        std::uint8_t bytes[FLEXIBLE_ARRAY_MEMBER];
    };

    const Words* WordsOf(const Dimensions& dimensions);
    void MergePacked(core::Bytes other);
    void Keep(core::Bytes packed);
    std::size_t PendingSize() const { return words_size_ + count_ * sizeof(core::PendingEvent); }

    MemoryContext context_;
    core::RollupShape shape_;
    std::uint8_t* packed_;
    std::size_t packed_size_;
    core::PendingEvent* pending_;
    std::size_t count_;
    std::size_t capacity_;
    Words* words_;
    std::size_t words_size_;
};

}  // namespace freshcrm::leadstats
