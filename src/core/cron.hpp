// Schedules of cron: five fields, as crontab(5) of Debian's cron and pg_cron read them, and when a
// job is due by them on the clocks of a time zone.
//
//     minute 0-59 · hour 0-23 · day of the month 1-31 · month 1-12 or jan-dec
//     · day of the week 0-7 or sun-sat, 0 and 7 being Sunday
//
// A field is a list of items with commas between them: *, a value, or a range a-b, the first and
// the last with /step if wanted. Where neither of the two fields of days begins with *, a day is
// one of either; else one of both. @hourly, @daily (or @midnight), @weekly, @monthly and @yearly
// (or @annually) stand for what they say.
//
// When clocks are put forward or back by less than three hours, as cron(8) does it:
// - a job of fixed times (neither minutes nor hours begin with *) that the change skips runs as
//   soon as clocks have changed, once; times that clocks show twice are those of the first time;
// - other jobs run whenever the clock shows their time: never when it is skipped, twice when it is
//   shown twice, so that a job of every ten minutes runs every ten minutes.
// A larger change is one of the calendar: clocks are gone by as they are.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace freshcrm::core {

// What() says what is wrong, `hint` how it is written.
class CronError : public std::invalid_argument {
  public:
    CronError(const std::string& what, std::string how)
        : std::invalid_argument(what), hint(std::move(how)) {}
    std::string hint;
};

// A set of values of each field, a bit each.
struct CronSchedule {
    std::uint64_t minutes;
    std::uint32_t hours;
    std::uint32_t days;
    std::uint16_t months;
    std::uint8_t weekdays;
    bool either_day;   // a day of the month or one of the week; else it is both
    bool fixed_times;  // runs that a change of clocks skips are made up for
};

// Raises CronError for what is no schedule, or one by which a job never runs (30 2 30 2 *).
CronSchedule ParseCron(std::string_view text);

// Local time as what clocks show, in minutes since they showed 1970-01-01 00:00: no zone, no
// changes. The first one from `from` on and before `end` that is in the schedule.
std::optional<std::int64_t> NextLocal(const CronSchedule& schedule, std::int64_t from,
                                      std::int64_t end);

// A time in which clocks of a zone are not changed: seconds since 1970-01-01 00:00 UTC, `end` being
// the first one after it, and how far local time is ahead, in seconds, in it and before it.
struct ClockPeriod {
    std::int64_t begin;
    std::int64_t end;
    std::int32_t offset;
    std::int32_t offset_before;
};

// The clocks of a time zone: the period that a time is in. One that began more than a day before
// may show as one that began then, with the same offset before.
class Clocks {
  public:
    virtual ClockPeriod At(std::int64_t time) const = 0;

  protected:
    ~Clocks() = default;  // nothing to destroy, so that a server error may pass
};

// When the job is due for the first time after `after`, in seconds since 1970 (UTC); nothing when
// it is not within 400 years. Any time of PostgreSQL's timestamptz will do.
std::optional<std::int64_t> NextRun(const CronSchedule& schedule, const Clocks& clocks,
                                    std::int64_t after);

}  // namespace freshcrm::core
