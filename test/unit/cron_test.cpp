#include "core/cron.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <vector>

namespace freshcrm::core {
namespace {

constexpr std::int64_t kEver = std::numeric_limits<std::int64_t>::max() / 4;

std::int64_t Seconds(int year, unsigned month, unsigned day, int hour = 0, int minute = 0) {
    using namespace std::chrono;
    return (sys_days{std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)} +
            hours(hour) + minutes(minute))
               .time_since_epoch() /
           seconds(1);
}

// A zone of one offset, changed at given times.
class Zone final : public Clocks {
  public:
    struct Change {
        std::int64_t at;
        std::int32_t offset;
    };
    explicit Zone(std::int32_t offset, std::vector<Change> changes = {})
        : offset_(offset), changes_(std::move(changes)) {}

    ClockPeriod At(std::int64_t time) const override {
        ClockPeriod period{-kEver, kEver, offset_, offset_};
        for (const Change& change : changes_) {
            if (change.at > time) {
                period.end = change.at;
                break;
            }
            period = {change.at, kEver, change.offset, period.offset};
        }
        return period;
    }

  private:
    std::int32_t offset_;
    std::vector<Change> changes_;
};

const Zone kUtc(0);

// Berlin in 2026: forward at 2:00 on March 29, back at 3:00 on October 25, 1:00 UTC both.
const Zone kBerlin(3600, {{Seconds(2026, 3, 29, 1), 7200}, {Seconds(2026, 10, 25, 1), 3600}});

std::vector<std::int64_t> Runs(const char* text, const Clocks& clocks, std::int64_t after, int n) {
    const CronSchedule schedule = ParseCron(text);
    std::vector<std::int64_t> runs;
    for (int i = 0; i < n; ++i) {
        const auto next = NextRun(schedule, clocks, after);
        if (!next) {
            break;
        }
        runs.push_back(after = *next);
    }
    return runs;
}

using Times = std::vector<std::int64_t>;

TEST(Cron, ValuesRangesListsAndSteps) {
    EXPECT_EQ(ParseCron("0,15,30-32 * * * *").minutes, 1ULL | 1ULL << 15 | 7ULL << 30);
    EXPECT_EQ(ParseCron("*/20 * * * *").minutes, 1ULL | 1ULL << 20 | 1ULL << 40);
    EXPECT_EQ(ParseCron("5-59/25 * * * *").minutes, 1ULL << 5 | 1ULL << 30 | 1ULL << 55);
    EXPECT_EQ(ParseCron("0 23 * * *").hours, 1U << 23);
    EXPECT_EQ(ParseCron("0 0 31 * *").days, 1U << 31);
    EXPECT_EQ(ParseCron(" 0\t0 * JAN,dec-12  * ").months, 1U << 1 | 1U << 12);
    EXPECT_EQ(ParseCron("0 0 * * sun").weekdays, 1U);
    EXPECT_EQ(ParseCron("0 0 * * 7").weekdays, 1U);
    EXPECT_EQ(ParseCron("0 0 * * fri-7").weekdays, 1U | 1U << 5 | 1U << 6);
    EXPECT_EQ(ParseCron("0 0 * * *").weekdays, 0x7fU);
    EXPECT_EQ(ParseCron("0 0 * * */2").weekdays, 1U | 1U << 2 | 1U << 4 | 1U << 6);
}

TEST(Cron, WordsStandForFields) {
    EXPECT_EQ(ParseCron(" @Hourly ").minutes, 1U);
    EXPECT_EQ(ParseCron("@weekly").weekdays, 1U);
    EXPECT_EQ(ParseCron("@annually").months, 2U);
    for (const char* text : {"@reboot", "@", "@daily 0", "@dailyy"}) {
        EXPECT_THROW(ParseCron(text), CronError) << text;
    }
}

TEST(Cron, WhatIsNoScheduleIsRefused) {
    for (const char* text : {"",
                             " ",
                             "* * * *",
                             "* * * * * *",
                             "60 * * * *",
                             "* 24 * * *",
                             "* * 0 * *",
                             "* * 32 * *",
                             "* * * 0 *",
                             "* * * 13 *",
                             "* * * * 8",
                             "-1 * * * *",
                             "1- * * * *",
                             "5-1 * * * *",
                             "*/0 * * * *",
                             "*/60 * * * *",
                             "5/10 * * * *",
                             "*/ * * * *",
                             "1,,2 * * * *",
                             ", * * * *",
                             "1, * * * *",
                             "** * * * *",
                             "*-5 * * * *",
                             "1-2-3 * * * *",
                             "1/2/3 * * * *",
                             "a * * * *",
                             "jan * * * *",
                             "* * * janu *",
                             "* * * ja *",
                             "* * * * funday",
                             "1.5 * * * *",
                             "99999999999999999999 * * * *",
                             "*\n* * * *",
                             "0 0 30 2 *",
                             "0 0 31 4,6,9,11 *"}) {
        EXPECT_THROW(ParseCron(text), CronError) << text;
    }
    try {
        ParseCron("* 24 * * *");
        FAIL();
    } catch (const CronError& error) {
        EXPECT_STREQ(error.what(), "\"24\" is no hour: the value is out of range");
        EXPECT_NE(error.hint.find("0 to 23"), std::string::npos);
    }
}

std::string HintOf(const char* text) {
    try {
        ParseCron(text);
    } catch (const CronError& error) {
        return error.hint;
    }
    return "";
}

TEST(Cron, WhatOtherSchedulersTakeIsExplained) {
    for (const char* text : {"*/5 * * * * *", "30 seconds", "1 second"}) {
        EXPECT_EQ(HintOf(text).find("A schedule has no seconds"), 0U) << text;
    }
    EXPECT_EQ(HintOf("@reboot").find("A schedule has times, not events."), 0U);
    EXPECT_EQ(HintOf("* * * *").find("Write minute, hour"), 0U);
}

TEST(Cron, EitherDayWhereBothAreGiven) {
    // Friday the 13th or any Friday; the first Friday of 2026 is January 2.
    EXPECT_EQ(Runs("0 0 13 * fri", kUtc, Seconds(2026, 1, 1), 4),
              (Times{Seconds(2026, 1, 2), Seconds(2026, 1, 9), Seconds(2026, 1, 13),
                     Seconds(2026, 1, 16)}));
    // One of them begins with *: both.
    EXPECT_EQ(Runs("0 0 */13 * fri", kUtc, Seconds(2026, 1, 1), 3),
              (Times{Seconds(2026, 2, 27), Seconds(2026, 3, 27), Seconds(2026, 5, 1)}));
    EXPECT_EQ(Runs("30 12 29 2 *", kUtc, Seconds(2096, 3, 1), 1),
              (Times{Seconds(2104, 2, 29, 12, 30)}));
}

TEST(Cron, TheNextRunIsAfterTheLast) {
    const std::int64_t start = Seconds(2026, 12, 31, 23, 50);
    EXPECT_EQ(Runs("*/10 * * * *", kUtc, start, 2), (Times{start + 600, start + 1200}));
    EXPECT_EQ(Runs("50 23 * * *", kUtc, start - 1, 1), (Times{start}));
    EXPECT_EQ(Runs("50 23 * * *", kUtc, start + 30, 1), (Times{start + 86400}));
    // Before 1970, and in zones that are not whole hours away.
    EXPECT_EQ(Runs("0 12 * * *", kUtc, Seconds(1969, 12, 30, 13), 1),
              (Times{Seconds(1969, 12, 31, 12)}));
    EXPECT_EQ(Runs("0 12 * * *", Zone(20700), Seconds(2026, 1, 1), 1),
              (Times{Seconds(2026, 1, 1, 6, 15)}));
    EXPECT_EQ(Runs("0 12 * * *", Zone(-16200), Seconds(2026, 1, 1), 1),
              (Times{Seconds(2026, 1, 1, 16, 30)}));
}

TEST(Cron, WhatClocksSkipIsMadeUpFor) {
    const std::int64_t change = Seconds(2026, 3, 29, 1);
    EXPECT_EQ(Runs("30 2 * * *", kBerlin, change - 86400, 3),
              (Times{Seconds(2026, 3, 28, 1, 30), change, Seconds(2026, 3, 30, 0, 30)}));
    // Once, however many were skipped, and not when it runs at that moment anyway.
    EXPECT_EQ(Runs("10,20 2 * * *", kBerlin, change - 1, 2),
              (Times{change, Seconds(2026, 3, 30, 0, 10)}));
    EXPECT_EQ(Runs("0 2,3 * * *", kBerlin, change - 1, 2),
              (Times{change, Seconds(2026, 3, 30, 0, 0)}));
    // Who has run it then is not told again.
    EXPECT_EQ(Runs("30 2 * * *", kBerlin, change, 1), (Times{Seconds(2026, 3, 30, 0, 30)}));
    // Other jobs go by what clocks show.
    EXPECT_EQ(Runs("30 * * * *", kBerlin, change - 3600, 3),
              (Times{change - 1800, change + 1800, change + 5400}));
    EXPECT_EQ(Runs("*/30 2 * * *", kBerlin, change - 1, 1), (Times{Seconds(2026, 3, 30, 0, 0)}));
}

TEST(Cron, WhatClocksShowTwiceIsTheFirst) {
    const std::int64_t change = Seconds(2026, 10, 25, 1);
    EXPECT_EQ(Runs("30 2 * * *", kBerlin, Seconds(2026, 10, 24), 3),
              (Times{Seconds(2026, 10, 24, 0, 30), change - 1800, Seconds(2026, 10, 26, 1, 30)}));
    EXPECT_EQ(Runs("0 3 * * *", kBerlin, change - 3600, 2),
              (Times{change + 3600, change + 3600 + 86400}));
    EXPECT_EQ(Runs("30 * * * *", kBerlin, change - 3600, 3),
              (Times{change - 1800, change + 1800, change + 5400}));
}

TEST(Cron, HalfHoursAndMidnightsAreChangedLikewise) {
    // Lord Howe in 2026: forward from 2:00 to 2:30 on October 4, 15:30 UTC of the day before; back
    // from 2:00 to 1:30 on April 5, 15:00 UTC.
    const std::int64_t back = Seconds(2026, 4, 4, 15);
    const std::int64_t forward = Seconds(2026, 10, 3, 15, 30);
    const Zone lord_howe(39600, {{back, 37800}, {forward, 39600}});
    EXPECT_EQ(Runs("40 1 * * *", lord_howe, back - 3600, 2),
              (Times{back - 1200, back - 1200 + 1800 + 86400}));
    EXPECT_EQ(Runs("40 * * * *", lord_howe, back - 3600, 3),
              (Times{back - 1200, back + 600, back + 4200}));
    EXPECT_EQ(Runs("15 2 * * *", lord_howe, forward - 3600, 2),
              (Times{forward, forward + 86400 - 900}));
    EXPECT_EQ(Runs("45 2 * * *", lord_howe, forward - 3600, 1), (Times{forward + 900}));
    // Midnight is skipped: the first moment of the day is 1:00.
    const std::int64_t midnight = Seconds(2026, 3, 1, 3);
    const Zone midnights(-10800, {{midnight, -7200}});
    EXPECT_EQ(Runs("0 0 1 * *", midnights, midnight - 86400, 2),
              (Times{midnight, Seconds(2026, 4, 1, 2)}));
}

TEST(Cron, TheCalendarGoesOnForEver) {
    // 2000-02-29 was a Tuesday, and so is every one of that cycle and of others.
    constexpr std::int64_t kCycle = 146097LL * 86400;
    const std::int64_t day = Seconds(2000, 2, 29);
    for (const int cycle : {-16, -1, 0, 1, 100, 730}) {
        EXPECT_EQ(Runs("0 0 29 2 *", kUtc, day - 1 + cycle * kCycle, 2),
                  (Times{day + cycle * kCycle, Seconds(2004, 2, 29) + cycle * kCycle}));
        EXPECT_EQ(Runs("0 0 */28 2 tue", kUtc, day - 1 + cycle * kCycle, 1),
                  (Times{day + cycle * kCycle}));
    }
}

TEST(Cron, WhatNeverRunsInAZoneIsNotLookedForForEver) {
    // Every night has a change, so that it never is 2:30 in this zone: not of the real world.
    std::vector<Zone::Change> changes;
    for (int year = 2000; year < 2401; ++year) {
        changes.push_back({Seconds(year, 3, 1, 2), 3600});
        changes.push_back({Seconds(year, 3, 2, 2), 0});
    }
    EXPECT_EQ(Runs("*/30 2 1 3 *", Zone(0, changes), Seconds(2000, 1, 1), 1), Times{});
    EXPECT_EQ(Runs("30 2 1 3 *", Zone(0, changes), Seconds(2000, 1, 1), 1),
              (Times{Seconds(2000, 3, 1, 2)}));
}

TEST(Cron, ALargeChangeIsOneOfTheCalendar) {
    // Apia had no December 30, 2011.
    const std::int64_t change = Seconds(2011, 12, 30, 10);
    const Zone apia(-10 * 3600, {{change, 14 * 3600}});
    EXPECT_EQ(Runs("0 8 * * *", apia, Seconds(2011, 12, 29, 0), 2),
              (Times{Seconds(2011, 12, 29, 18), Seconds(2011, 12, 30, 18)}));
}

}  // namespace
}  // namespace freshcrm::core
