// Results of the composite types of sql/leadstats.sql.
#pragma once

#include "core/event_stats.hpp"
#include "pg/postgres.hpp"
// The standard library after the server's headers.
#include <array>
#include <optional>

namespace freshcrm::leadstats {

// The columns of a row, one after the other; a value that is missing is NULL.
template <std::size_t Columns>
class ResultRow {
  public:
    ResultRow& Bigint(std::int64_t value) { return Add(Int64GetDatum(value), false); }
    ResultRow& Integer(std::int32_t value) { return Add(Int32GetDatum(value), false); }
    ResultRow& Time(std::optional<std::int64_t> at) {
        return Add(Int64GetDatum(at.value_or(0)), !at.has_value());
    }
    ResultRow& Add(Datum value, bool null) {
        values_[size_] = value;
        nulls_[size_++] = null;
        return *this;
    }

    Datum* values() { return values_.data(); }
    bool* nulls() { return nulls_.data(); }

  private:
    std::array<Datum, Columns> values_;
    std::array<bool, Columns> nulls_;
    std::size_t size_ = 0;
};

// A value of the composite type that the function called returns, whose columns these are. What the
// type looks like is kept in the function's fn_extra.
Datum MakeResult(FunctionCallInfo fcinfo, Datum* values, bool* nulls, std::size_t columns);

template <std::size_t Columns>
Datum MakeResult(FunctionCallInfo fcinfo, ResultRow<Columns>* row) {
    return MakeResult(fcinfo, row->values(), row->nulls(), Columns);
}

// A value of type freshcrm.lead_event_stats, which the function called returns.
Datum MakeLeadEventStats(FunctionCallInfo fcinfo, const core::LeadEvents& events);

}  // namespace freshcrm::leadstats
