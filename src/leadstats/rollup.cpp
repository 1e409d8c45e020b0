#include "leadstats/rollup.hpp"

extern "C" {
#include "utils/array.h"
#include "utils/arrayaccess.h"
#include "utils/timestamp.h"
}
// The standard library after the server's headers.
#include <algorithm>
#include <cstring>

namespace freshcrm::leadstats {

namespace {

constexpr std::size_t kFirstCapacity = 8;
// Pending events are packed when they take more than this, and than twice the packed value.
constexpr std::size_t kLeastPending = 4096;
constexpr std::size_t kMostPending = std::size_t{16} << 20;
// How many of the latest words are compared before new ones are kept: there are few in a group.
constexpr unsigned kWordsToCompare = 32;

std::string WidthForMessage(std::int64_t width) {
    return std::to_string(width / 1000000) + " seconds";
}

}  // namespace

std::int64_t BucketArgument(FunctionCallInfo fcinfo, int argument) {
    if (PG_ARGISNULL(argument)) {
        throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "the bucket must not be NULL")
            .Hint("Name a width, such as interval '1 hour'.");
    }
    const Interval* bucket = PG_GETARG_INTERVAL_P(argument);
    if (bucket->month != 0) {
        throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "the bucket must not have months")
            .Detail("Months and years are of different lengths.")
            .Hint("Name a width in days, hours, minutes or seconds; a day is 24 hours.");
    }
    std::int64_t width;
    if (__builtin_mul_overflow(std::int64_t{bucket->day}, USECS_PER_DAY, &width) ||
        __builtin_add_overflow(width, std::int64_t{bucket->time}, &width)) {
        throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "the bucket is too wide");
    }
    if (width < core::kNarrowestBucket) {
        throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "the bucket is too narrow")
            .Detail("It must be at least one second.")
            .Hint("Name a width such as interval '1 hour'.");
    }
    return width;
}

void DimensionsArgument(FunctionCallInfo fcinfo, int argument, Dimensions* dimensions) {
    if (PG_ARGISNULL(argument)) {
        throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "the dimensions must not be NULL")
            .Hint("A dimension can be; give an array of NULL then.");
    }
    ArrayType* array = PG_GETARG_ARRAYTYPE_P(argument);
    if (ARR_NDIM(array) > 1) {
        throw pg::Error(ERRCODE_ARRAY_SUBSCRIPT_ERROR, "the dimensions must be one list")
            .Hint("Give an array of one dimension.");
    }
    const int count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
    if (count > static_cast<int>(core::kMostDimensions)) {
        throw pg::Error(ERRCODE_TOO_MANY_ARGUMENTS, "too many dimensions")
            .Detail("There are " + std::to_string(count) + ", and at most " +
                    std::to_string(core::kMostDimensions) + " are possible.");
    }
    array_iter iterator;
    array_iter_setup(&iterator, reinterpret_cast<AnyArrayType*>(array));
    for (int i = 0; i < count; ++i) {
        bool null;
        const Datum element = array_iter_next(&iterator, &null, i, -1, false, TYPALIGN_INT);
        if (null) {
            dimensions->values[i] = std::nullopt;
        } else {
            const text* word = DatumGetTextPP(element);
            dimensions->values[i] = std::string_view(
                VARDATA_ANY(word), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(word)));
        }
    }
    dimensions->count = static_cast<unsigned>(count);
}

core::EventTime TimeOfArgument(FunctionCallInfo fcinfo, int argument) {
    return PG_ARGISNULL(argument) ? std::nullopt : core::EventTime(PG_GETARG_TIMESTAMPTZ(argument));
}

core::Bytes BytesOf(const bytea* value) {
    return {reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(value)),
            static_cast<std::size_t>(VARSIZE_ANY_EXHDR(value))};
}

void RefuseOtherShape(const core::RollupShape& value, const core::RollupShape& arguments) {
    pg::Error error(ERRCODE_INVALID_PARAMETER_VALUE,
                    "packed events have another bucket or other dimensions");
    throw std::move(error)
        .Detail("They have buckets of " + WidthForMessage(value.width) + " and " +
                std::to_string(value.dimensions) + " dimensions, and not of " +
                WidthForMessage(arguments.width) + " and " + std::to_string(arguments.dimensions) +
                ".")
        .Hint("All events of a value are packed alike.");
}

RollupState* RollupState::MakeIn(MemoryContext context, const core::RollupShape& shape) {
    auto* state = static_cast<RollupState*>(MemoryContextAllocZero(context, sizeof(RollupState)));
    state->context_ = context;
    state->shape_ = shape;
    return state;
}

RollupState* RollupState::MakeIn(MemoryContext context, core::Bytes packed) {
    RollupState* state = MakeIn(context, core::RollupReader(packed).shape());
    state->Keep(packed);
    return state;
}

void RollupState::Add(const Dimensions& dimensions, core::EventTime time) {
    if (count_ == capacity_) {
        const std::size_t capacity = std::max(2 * capacity_, kFirstCapacity);
        const std::size_t size = capacity * sizeof(core::PendingEvent);
        pending_ = static_cast<core::PendingEvent*>(
            pending_ == nullptr ? MemoryContextAlloc(context_, size) : repalloc(pending_, size));
        capacity_ = capacity;
    }
    const Words* words = WordsOf(dimensions);
    pending_[count_++] = {words->bytes, words->size, time.has_value(), time.value_or(0)};
    if (PendingSize() >= std::clamp(2 * packed_size_, kLeastPending, kMostPending)) {
        (void)Pack();
    }
}

const RollupState::Words* RollupState::WordsOf(const Dimensions& dimensions) {
    const std::size_t room = core::DimensionsRoom(dimensions.Values());
    std::uint8_t small[256];
    std::uint8_t* bytes = room <= sizeof(small) ? small : static_cast<std::uint8_t*>(palloc(room));
    const std::size_t size = core::WriteDimensions(dimensions.Values(), bytes);
    unsigned compared = 0;
    for (const Words* words = words_; words != nullptr && compared < kWordsToCompare;
         words = words->next, ++compared) {
        if (words->size == size && std::memcmp(words->bytes, bytes, size) == 0) {
            return words;
        }
    }
    const std::size_t memory = offsetof(Words, bytes) + size;
    auto* words = static_cast<Words*>(MemoryContextAlloc(context_, memory));
    words->next = words_;
    words->size = static_cast<std::uint32_t>(size);
    std::memcpy(words->bytes, bytes, size);
    words_ = words;
    words_size_ += memory;
    return words;
}

core::Bytes RollupState::Pack() {
    if (count_ > 0) {
        const std::span<core::PendingEvent> events(pending_, count_);
        auto* run = static_cast<std::uint8_t*>(palloc(core::PackRoom(events)));
        const core::Bytes packed(run, core::PackEvents(shape_, events, run));
        count_ = 0;
        while (words_ != nullptr) {
            Words* next = words_->next;
            pfree(words_);
            words_ = next;
        }
        words_size_ = 0;
        MergePacked(packed);
        pfree(run);
    }
    return {packed_, packed_size_};
}

void RollupState::MergePacked(core::Bytes other) {
    if (packed_ == nullptr) {
        Keep(other);
        return;
    }
    const std::size_t room = 4 * (packed_size_ + other.size()) + core::kRoom;
    auto* merged = static_cast<std::uint8_t*>(palloc_extended(room, MCXT_ALLOC_HUGE));
    Keep({merged, core::MergeRollups({packed_, packed_size_}, other, merged)});
    pfree(merged);
}

void RollupState::Keep(core::Bytes packed) {
    if (packed.size() > MaxAllocSize - VARHDRSZ) {
        throw pg::Error(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "too many events to be packed")
            .Detail("Their value would be larger than 1 GB.")
            .Hint("Name wider buckets, or dimensions that have fewer values.");
    }
    auto* copy = static_cast<std::uint8_t*>(MemoryContextAlloc(context_, packed.size()));
    std::memcpy(copy, packed.data(), packed.size());
    if (packed_ != nullptr) {
        pfree(packed_);
    }
    packed_ = copy;
    packed_size_ = packed.size();
}

void RollupState::Merge(RollupState* other) {
    (void)Pack();
    MergePacked(other->Pack());
}

}  // namespace freshcrm::leadstats
