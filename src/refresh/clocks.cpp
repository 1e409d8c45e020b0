#include "refresh/clocks.hpp"

namespace freshcrm::refresh {

namespace {

constexpr std::int64_t kDay = SECS_PER_DAY;

// After what timestamptz can say, and before a sum of it and of 400 years overflows.
constexpr std::int64_t kEver = std::int64_t{1} << 60;

}  // namespace

const pg_tz* FindZone(const char* name) {
    pg_tz* zone = pg_tzset(name);
    if (zone == nullptr || !pg_tz_acceptable(zone)) {
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("time zone \"%s\" is not known", name),
                        errhint("Give a name of pg_timezone_names, for example Europe/Berlin; "
                                "abbreviations are none.")));
    }
    return zone;
}

core::ClockPeriod ZoneClocks::At(std::int64_t time) const {
    core::ClockPeriod period{time - kDay, kEver, 0, 0};
    for (bool first = true;; first = false) {
        long before, after;
        int before_is_summer, after_is_summer;
        pg_time_t boundary;
        const pg_time_t from = period.begin;
        const int found = pg_next_dst_boundary(&from, &before, &before_is_summer, &boundary, &after,
                                               &after_is_summer, zone_);
        if (found < 0) {
            elog(ERROR, "the clocks of time zone \"%s\" are not known at " INT64_FORMAT,
                 pg_get_timezone_name(const_cast<pg_tz*>(zone_)), time);
        }
        period.offset = static_cast<std::int32_t>(before);
        if (first) {
            period.offset_before = period.offset;
        }
        if (found == 0) {
            return period;
        }
        if (boundary > time) {
            period.end = boundary;
            return period;
        }
        period.begin = boundary;
        period.offset_before = period.offset;
    }
}

}  // namespace freshcrm::refresh
