// SQL: the aggregate freshcrm.event_rollup(), and packed values with more events.
#include "leadstats/rollup.hpp"
#include "pg/aggregate.hpp"
#include "pg/entry.hpp"

namespace core = freshcrm::core;
namespace leadstats = freshcrm::leadstats;
namespace pg = freshcrm::pg;

namespace {

MemoryContext Context(FunctionCallInfo fcinfo) {
    return pg::AggregateContext(fcinfo, "freshcrm.event_rollup()");
}

leadstats::RollupState* State(FunctionCallInfo fcinfo, int argument) {
    return pg::StateArgument<leadstats::RollupState>(fcinfo, argument);
}

// The arguments bucket, created_at and dimensions, which all functions here have.
struct EventArguments {
    std::int64_t width;
    core::EventTime time;
    leadstats::Dimensions dimensions;

    core::RollupShape shape() const { return {width, dimensions.count}; }
};

void ReadEventArguments(FunctionCallInfo fcinfo, EventArguments* event) {
    event->width = leadstats::BucketArgument(fcinfo, 1);
    event->time = leadstats::TimeOfArgument(fcinfo, 2);
    leadstats::DimensionsArgument(fcinfo, 3, &event->dimensions);
}

Datum ToBytea(core::Bytes packed) {
    auto* value = static_cast<bytea*>(palloc(VARHDRSZ + packed.size()));
    SET_VARSIZE(value, VARHDRSZ + packed.size());
    memcpy(VARDATA(value), packed.data(), packed.size());
    return PointerGetDatum(value);
}

void CheckShape(core::Bytes value, const EventArguments& event) {
    const core::RollupShape shape = core::RollupReader(value).shape();
    if (shape != event.shape()) {
        leadstats::RefuseOtherShape(shape, event.shape());
    }
}

core::Bytes WordsOf(const EventArguments& event) {
    const core::DimensionValues values = event.dimensions.Values();
    auto* words = static_cast<std::uint8_t*>(palloc(core::DimensionsRoom(values)));
    return {words, core::WriteDimensions(values, words)};
}

// A value that `write(out)` writes into so much room and says the size of.
template <typename Write>
Datum WriteValue(std::size_t room, Write write) {
    auto* result = static_cast<bytea*>(palloc(VARHDRSZ + room));
    const std::size_t size =
        leadstats::Reading([&] { return write(reinterpret_cast<std::uint8_t*>(VARDATA(result))); });
    SET_VARSIZE(result, VARHDRSZ + size);
    PG_RETURN_BYTEA_P(result);
}

}  // namespace

FRESHCRM_FUNCTION(freshcrm_event_rollup_accumulate) {
    EventArguments event;
    ReadEventArguments(fcinfo, &event);
    leadstats::RollupState* state = State(fcinfo, 0);
    if (state == nullptr || !pg::InAggregate(fcinfo)) {
        state = leadstats::RollupState::MakeIn(Context(fcinfo), event.shape());
    } else if (state->shape() != event.shape()) {
        leadstats::RefuseOtherShape(state->shape(), event.shape());
    }
    state->Add(event.dimensions, event.time);
    PG_RETURN_POINTER(state);
}

FRESHCRM_FUNCTION(freshcrm_event_rollup_combine) {
    const MemoryContext context = Context(fcinfo);
    leadstats::RollupState* state = State(fcinfo, 0);
    leadstats::RollupState* other = State(fcinfo, 1);
    if (other == nullptr) {
        if (state == nullptr) {
            PG_RETURN_NULL();
        }
        PG_RETURN_POINTER(state);
    }
    return leadstats::Reading([&] {
        if (state == nullptr) {
            state = leadstats::RollupState::MakeIn(context, other->Pack());
        } else if (state->shape() != other->shape()) {
            leadstats::RefuseOtherShape(state->shape(), other->shape());
        } else {
            state->Merge(other);
        }
        return PointerGetDatum(state);
    });
}

FRESHCRM_FUNCTION(freshcrm_event_rollup_serialize) {
    Context(fcinfo);
    return ToBytea(State(fcinfo, 0)->Pack());
}

FRESHCRM_FUNCTION(freshcrm_event_rollup_deserialize) {
    Context(fcinfo);
    const core::Bytes packed = leadstats::BytesOf(PG_GETARG_BYTEA_PP(0));
    return leadstats::Reading([&] {
        return PointerGetDatum(leadstats::RollupState::MakeIn(CurrentMemoryContext, packed));
    });
}

FRESHCRM_FUNCTION(freshcrm_event_rollup_final) {
    Context(fcinfo);
    leadstats::RollupState* state = State(fcinfo, 0);
    if (state == nullptr) {
        PG_RETURN_NULL();
    }
    return ToBytea(state->Pack());
}

FRESHCRM_FUNCTION(freshcrm_event_rollup_add) {
    EventArguments event;
    ReadEventArguments(fcinfo, &event);
    std::uint8_t empty[core::kRoom];
    const core::Bytes value = PG_ARGISNULL(0)
                                  ? core::Bytes(empty, core::WriteEmptyRollup(event.shape(), empty))
                                  : leadstats::BytesOf(PG_GETARG_BYTEA_PP(0));
    leadstats::Reading([&] { CheckShape(value, event); });
    const core::Bytes words = WordsOf(event);
    return WriteValue(2 * value.size() + words.size() + core::kRoom, [&](std::uint8_t* out) {
        return core::AddEvent(value, words, event.time, out);
    });
}

FRESHCRM_FUNCTION(freshcrm_event_rollup_merge) {
    const core::Bytes one = leadstats::BytesOf(PG_GETARG_BYTEA_PP(0));
    const core::Bytes other = leadstats::BytesOf(PG_GETARG_BYTEA_PP(1));
    leadstats::Reading([&] {
        const core::RollupShape shape = core::RollupReader(one).shape();
        const core::RollupShape other_shape = core::RollupReader(other).shape();
        if (shape != other_shape) {
            leadstats::RefuseOtherShape(shape, other_shape);
        }
    });
    return WriteValue(2 * (one.size() + other.size()) + core::kRoom,
                      [&](std::uint8_t* out) { return core::MergeRollups(one, other, out); });
}
