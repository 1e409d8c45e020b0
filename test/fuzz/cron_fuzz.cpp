// Schedules of cron from arbitrary bytes, compared with a second reading of crontab(5) and cron(8)
// that is written in another way: items are cut at their signs, and runs are found by walking
// minute by minute.
//
// An input is: a byte for the offset of a zone, one for how far its clocks are changed, one for
// when, and a schedule.
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/cron.hpp"

namespace {

using namespace freshcrm::core;

void Require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "does not hold: %s\n", what);
        std::abort();
    }
}

std::vector<std::string> Cut(std::string_view text, std::string_view signs) {
    std::vector<std::string> pieces(1);
    for (const char c : text) {
        if (signs.find(c) == std::string_view::npos) {
            pieces.back() += c;
        } else {
            pieces.emplace_back();
        }
    }
    return pieces;
}

std::string Lower(std::string text) {
    for (char& c : text) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    }
    return text;
}

using Values = std::set<int>;

struct Rules {
    int least;
    int most;
    std::vector<std::string> names;
};

const std::array<Rules, 5> kRules{{
    {0, 59, {}},
    {0, 23, {}},
    {1, 31, {}},
    {1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
    {0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}};

std::optional<int> NumberOf(const std::string& text) {
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) {
        return {};
    }
    const std::size_t digits = text.find_first_not_of('0');
    if (digits == std::string::npos) {
        return 0;
    }
    return text.size() - digits > 4 ? std::nullopt : std::optional(std::stoi(text.substr(digits)));
}

std::optional<int> ValueOf(const Rules& rules, const std::string& text) {
    for (std::size_t i = 0; i < rules.names.size(); ++i) {
        if (Lower(text) == rules.names[i]) {
            return rules.least + static_cast<int>(i);
        }
    }
    const auto number = NumberOf(text);
    return number && *number >= rules.least && *number <= rules.most ? number : std::nullopt;
}

bool AddItem(const Rules& rules, const std::string& item, Values* values) {
    const auto parts = Cut(item, "/");
    const auto ends = Cut(parts[0], "-");
    std::optional<int> first = rules.least;
    std::optional<int> last = rules.most == 7 ? 6 : rules.most;
    if (parts[0] != "*") {
        first = ValueOf(rules, ends.front());
        last = ValueOf(rules, ends.back());
    }
    const auto step = parts.size() == 1 ? 1 : NumberOf(parts[1]);
    if (parts.size() > 2 || ends.size() > 2 || !first || !last || !step || *last < *first ||
        *step < 1) {
        return false;
    }
    if (parts.size() == 2 && ((parts[0] != "*" && ends.size() == 1) || *step > *last - *first)) {
        return false;
    }
    for (int value = *first; value <= *last; value += *step) {
        values->insert(rules.most == 7 ? value % 7 : value);
    }
    return true;
}

struct Expected {
    std::array<Values, 5> values;
    bool either_day;
    bool fixed_times;
};

std::string Meant(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) {
        return "";
    }
    const auto word =
        Lower(std::string(text.substr(begin, text.find_last_not_of(" \t") + 1 - begin)));
    return word == "@hourly"                          ? "0 * * * *"
           : word == "@daily" || word == "@midnight"  ? "0 0 * * *"
           : word == "@weekly"                        ? "0 0 * * 0"
           : word == "@monthly"                       ? "0 0 1 * *"
           : word == "@yearly" || word == "@annually" ? "0 0 1 1 *"
                                                      : std::string(text);
}

bool HasDay(const Expected& expected) {
    static constexpr int kLengths[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (const int month : expected.values[3]) {
        if (expected.either_day || *expected.values[2].begin() <= kLengths[month]) {
            return true;
        }
    }
    return false;
}

std::optional<Expected> Read(std::string_view text) {
    std::vector<std::string> fields;
    for (const std::string& field : Cut(Meant(text), " \t")) {
        if (!field.empty()) {
            fields.push_back(field);
        }
    }
    if (fields.size() != 5) {
        return {};
    }
    Expected expected;
    for (std::size_t i = 0; i < 5; ++i) {
        for (const std::string& item : Cut(fields[i], ",")) {
            if (!AddItem(kRules[i], item, &expected.values[i])) {
                return {};
            }
        }
    }
    expected.either_day = fields[2][0] != '*' && fields[4][0] != '*';
    expected.fixed_times = fields[0][0] != '*' && fields[1][0] != '*';
    return HasDay(expected) ? std::optional(expected) : std::nullopt;
}

bool Shows(const Expected& expected, std::int64_t local) {
    using namespace std::chrono;
    const sys_time<minutes> time{minutes(local)};
    const auto day = floor<days>(time);
    const hh_mm_ss clock{time - day};
    const year_month_day date{day};
    const auto has = [&](int field, auto value) {
        return expected.values[static_cast<std::size_t>(field)].contains(static_cast<int>(value));
    };
    const bool of_month = has(2, static_cast<unsigned>(date.day()));
    const bool of_week = has(4, weekday(day).c_encoding());
    return has(0, clock.minutes().count()) && has(1, clock.hours().count()) &&
           has(3, static_cast<unsigned>(date.month())) &&
           (expected.either_day ? of_month || of_week : of_month && of_week);
}

// One change, at a full minute.
struct Zone final : Clocks {
    std::int64_t change;
    std::int32_t before;
    std::int32_t after;

    ClockPeriod At(std::int64_t time) const override {
        constexpr std::int64_t kEver = std::int64_t{1} << 50;
        return time < change ? ClockPeriod{-kEver, change, before, before}
                             : ClockPeriod{change, kEver, after, before};
    }
};

bool IsDue(const Expected& expected, const Zone& zone, std::int64_t minute) {
    const std::int64_t change = zone.change / 60;
    const std::int64_t shift = (zone.after - zone.before) / 60;
    const std::int64_t local = minute + (minute < change ? zone.before : zone.after) / 60;
    if (!expected.fixed_times || std::abs(shift) >= 180) {
        return Shows(expected, local);
    }
    if (minute >= change && minute < change - shift) {
        return false;  // shown for the second time
    }
    bool due = Shows(expected, local);
    for (std::int64_t skipped = 0; minute == change && skipped < shift; ++skipped) {
        due = due || Shows(expected, change + zone.before / 60 + skipped);
    }
    return due;
}

void CheckSets(const CronSchedule& schedule, const Expected& expected) {
    const std::array<std::uint64_t, 5> sets{schedule.minutes, schedule.hours, schedule.days,
                                            schedule.months, schedule.weekdays};
    for (std::size_t i = 0; i < sets.size(); ++i) {
        std::uint64_t set = 0;
        for (const int value : expected.values[i]) {
            set |= std::uint64_t{1} << value;
        }
        Require(set == sets[i], "both readings have the same values");
    }
    Require(schedule.either_day == expected.either_day, "both agree about days");
    Require(schedule.fixed_times == expected.fixed_times, "both agree about times");
}

// Around the change, by walking.
void CheckRuns(const CronSchedule& schedule, const Expected& expected, const Zone& zone) {
    std::int64_t after = zone.change - 100000;
    for (std::int64_t minute = after / 60 + 1; minute * 60 < zone.change + 200000; ++minute) {
        if (IsDue(expected, zone, minute)) {
            Require(NextRun(schedule, zone, after) == minute * 60, "both find the same runs");
            // Now and then it is asked for in the middle of a minute.
            after = minute * 60 + (minute % 3 == 0 ? 30 : 0);
        }
    }
    const auto next = NextRun(schedule, zone, after);
    Require(!next || *next >= zone.change + 200000 - 60, "both find no others");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) {
        return 0;
    }
    Zone zone;
    zone.before = (data[0] - 128) * 15 * 60;
    zone.after = zone.before + (data[1] - 128) * 5 * 60;
    // Around the end of a February with 29 days, at any time of the day.
    zone.change = 1709164800 + data[2] * 20 * 60;
    // Memory of its own, so that a byte read beyond it is seen.
    const std::vector<char> text(data + 3, data + size);
    const std::string_view view(text.data(), text.size());
    const auto expected = Read(view);
    try {
        const CronSchedule schedule = ParseCron(view);
        Require(expected.has_value(), "what is read is a schedule");
        CheckSets(schedule, *expected);
        CheckRuns(schedule, *expected, zone);
    } catch (const CronError& error) {
        Require(!expected.has_value(), "what is refused is no schedule");
        Require(*error.what() != '\0' && !error.hint.empty(), "an error says what to do");
    }
    return 0;
}
