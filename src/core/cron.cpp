#include "core/cron.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

constexpr std::int64_t kMinutesOfDay = 1440;
constexpr std::int64_t kCycle = 146097 * kMinutesOfDay;  // 400 years: the calendar repeats itself

// Less than that is a change of clocks, more is one of the calendar.
constexpr std::int32_t kClockChange = 3 * 3600;

struct Field {
    std::string_view name;
    unsigned least;
    unsigned most;
    std::string_view names;  // three letters each, of the values from `least` on
};

constexpr std::array<Field, 5> kFields{{
    {"minute", 0, 59, ""},
    {"hour", 0, 23, ""},
    {"day of the month", 1, 31, ""},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    {"day of the week", 0, 7, "sunmontuewedthufrisat"},
}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kWords{{
    {"@hourly", "0 * * * *"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"},
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
}};

bool IsDigit(char c) {
    return c >= '0' && c <= '9';
}

char Small(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool SameWord(std::string_view word, std::string_view small) {
    if (word.size() != small.size()) {
        return false;
    }
    for (std::size_t i = 0; i < word.size(); ++i) {
        if (Small(word[i]) != small[i]) {
            return false;
        }
    }
    return true;
}

[[noreturn]] void Refuse(const Field& field, std::string_view item, const std::string& reason) {
    std::string hint = "The field takes *, values from " + std::to_string(field.least) + " to " +
                       std::to_string(field.most);
    if (!field.names.empty()) {
        hint.append(" or names like ").append(field.names.substr(0, 3));
    }
    hint += ", ranges a-b, lists a,b, and steps */n or a-b/n.";
    throw CronError(
        "\"" + std::string(item) + "\" is no " + std::string(field.name) + ": " + reason, hint);
}

// Reads one item of a field, "a", "a-b", "a-b/n", "*" or "*/n".
class ItemReader {
  public:
    ItemReader(const Field& field, std::string_view item)
        : field_(field), item_(item), rest_(item) {}

    std::uint64_t Read() {
        unsigned first = field_.least;
        // Sunday is 0 and 7, but once in *.
        unsigned last = field_.most == 7 ? 6 : field_.most;
        const bool all = Take('*');
        if (!all) {
            first = last = Value();
        }
        const bool range = !all && Take('-');
        if (range) {
            last = Value();
            if (last < first) {
                Refuse(field_, item_, "the range ends before it begins");
            }
        }
        const unsigned step = Step(all || range, last - first);
        if (!rest_.empty()) {
            Refuse(field_, item_, "it goes on where it should end");
        }
        std::uint64_t values = 0;
        for (unsigned value = first; value <= last; value += step) {
            values |= std::uint64_t{1} << value;
        }
        return values;
    }

  private:
    bool Take(char c) {
        const bool there = !rest_.empty() && rest_.front() == c;
        rest_.remove_prefix(there ? 1 : 0);
        return there;
    }

    unsigned Number() {
        unsigned number = 0;
        std::size_t digits = 0;
        for (; digits < rest_.size() && IsDigit(rest_[digits]); ++digits) {
            number = number * 10 + static_cast<unsigned>(rest_[digits] - '0');
            if (number > 9999) {
                Refuse(field_, item_, "the number is too large");
            }
        }
        if (digits == 0) {
            Refuse(field_, item_, rest_.empty() ? "a value is missing" : "a value is not known");
        }
        rest_.remove_prefix(digits);
        return number;
    }

    unsigned Value() {
        for (std::size_t i = 0; i < field_.names.size() && rest_.size() >= 3; i += 3) {
            if (SameWord(rest_.substr(0, 3), field_.names.substr(i, 3))) {
                rest_.remove_prefix(3);
                return field_.least + static_cast<unsigned>(i / 3);
            }
        }
        const unsigned number = Number();
        if (number < field_.least || number > field_.most) {
            Refuse(field_, item_, "the value is out of range");
        }
        return number;
    }

    unsigned Step(bool possible, unsigned most) {
        if (!Take('/')) {
            return 1;
        }
        if (!possible) {
            Refuse(field_, item_, "a step stands behind a range or *");
        }
        const unsigned step = Number();
        if (step == 0 || step > most) {
            Refuse(field_, item_, "the step is 0, or leaves nothing but the first value");
        }
        return step;
    }

    const Field& field_;
    std::string_view item_;
    std::string_view rest_;
};

std::uint64_t ReadField(const Field& field, std::string_view text) {
    std::uint64_t values = 0;
    for (;;) {
        const std::size_t comma = text.find(',');
        values |= ItemReader(field, text.substr(0, comma)).Read();
        if (comma == std::string_view::npos) {
            return values;
        }
        text.remove_prefix(comma + 1);
    }
}

std::array<std::string_view, 5> SplitFields(std::string_view text) {
    std::array<std::string_view, 5> fields;
    std::size_t count = 0;
    while (true) {
        const std::size_t begin = text.find_first_not_of(" \t");
        if (begin == std::string_view::npos) {
            break;
        }
        text.remove_prefix(begin);
        const std::size_t end = text.find_first_of(" \t");
        if (count < fields.size()) {
            fields[count] = text.substr(0, end);
        }
        ++count;
        text = end == std::string_view::npos ? std::string_view() : text.substr(end);
    }
    if (count != fields.size()) {
        // Six fields, and pg_cron's "30 seconds", are a try to say seconds.
        const bool seconds = count == 6 || (count == 2 && Small(fields[1].front()) == 's');
        throw CronError(
            "a schedule has five fields, and this has " + std::to_string(count),
            std::string(seconds ? "A schedule has no seconds, the first field is minutes. " : "") +
                "Write minute, hour, day of the month, month and day of the week, for "
                "example */15 8-18 * * mon-fri.");
    }
    return fields;
}

std::string_view Meant(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos || text[begin] != '@') {
        return text;
    }
    text.remove_prefix(begin);
    const std::string_view word = text.substr(0, text.find_last_not_of(" \t") + 1);
    for (const auto& [name, fields] : kWords) {
        if (SameWord(word, name)) {
            return fields;
        }
    }
    throw CronError(
        "\"" + std::string(word) + "\" is no schedule",
        std::string(SameWord(word, "@reboot") ? "A schedule has times, not events. " : "") +
            "Write five fields, @hourly, @daily, @weekly, @monthly or @yearly.");
}

bool Has(std::uint64_t values, unsigned value) {
    return (values >> value & 1) != 0;
}

bool IsDay(const CronSchedule& schedule, std::chrono::sys_days day,
           const std::chrono::year_month_day& date) {
    const bool of_month = Has(schedule.days, unsigned{date.day()});
    const bool of_week = Has(schedule.weekdays, std::chrono::weekday(day).c_encoding());
    return schedule.either_day ? of_month || of_week : of_month && of_week;
}

// The first minute of a day from `from` on, or nothing.
std::optional<std::int64_t> NextOfDay(const CronSchedule& schedule, std::int64_t from) {
    auto hour = static_cast<unsigned>(from / 60);
    auto minute = static_cast<unsigned>(from % 60);
    for (; hour < 24; ++hour, minute = 0) {
        const std::uint64_t left = schedule.minutes >> minute << minute;
        if (Has(schedule.hours, hour) && left != 0) {
            return hour * 60 + std::countr_zero(left);
        }
    }
    return {};
}

std::int64_t Quotient(std::int64_t value, std::int64_t divisor) {
    return value / divisor - (value % divisor < 0 ? 1 : 0);
}

// The first whole minute at a second or after it.
std::int64_t MinuteFrom(std::int64_t second) {
    return -Quotient(-second, 60);
}

}  // namespace

CronSchedule ParseCron(std::string_view text) {
    const auto fields = SplitFields(Meant(text));
    std::array<std::uint64_t, 5> values;
    std::array<bool, 5> any;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        values[i] = ReadField(kFields[i], fields[i]);
        any[i] = fields[i].front() == '*';
    }
    const CronSchedule schedule{values[0],
                                static_cast<std::uint32_t>(values[1]),
                                static_cast<std::uint32_t>(values[2]),
                                static_cast<std::uint16_t>(values[3]),
                                static_cast<std::uint8_t>((values[4] | values[4] >> 7) & 0x7f),
                                !any[2] && !any[4],
                                !any[0] && !any[1]};
    if (!NextLocal(schedule, 0, kCycle)) {
        throw CronError("no day is in the schedule",
                        "The months have no such day; a day of the week would be one of either.");
    }
    return schedule;
}

std::optional<std::int64_t> NextLocal(const CronSchedule& schedule, std::int64_t from,
                                      std::int64_t end) {
    using std::chrono::days;
    using std::chrono::months;
    // In the first cycle, as chrono knows no years above 32767.
    const std::int64_t cycles = Quotient(from, kCycle) * kCycle;
    from -= cycles;
    end -= cycles;
    std::chrono::sys_days day{days(Quotient(from, kMinutesOfDay))};
    std::int64_t minute = from - day.time_since_epoch().count() * kMinutesOfDay;
    while (day.time_since_epoch().count() * kMinutesOfDay < end) {
        const std::chrono::year_month_day date{day};
        if (!Has(schedule.months, unsigned{date.month()})) {
            day = std::chrono::sys_days{(date.year() / date.month() + months(1)) / 1};
            minute = 0;
            continue;
        }
        if (IsDay(schedule, day, date)) {
            if (const auto of_day = NextOfDay(schedule, minute)) {
                const std::int64_t found = day.time_since_epoch().count() * kMinutesOfDay + *of_day;
                return found < end ? std::optional(found + cycles) : std::nullopt;
            }
        }
        day += days(1);
        minute = 0;
    }
    return {};
}

std::optional<std::int64_t> NextRun(const CronSchedule& schedule, const Clocks& clocks,
                                    std::int64_t after) {
    const std::int64_t last = after + kCycle * 60;
    for (std::int64_t time = after + 1; time < last;) {
        const ClockPeriod period = clocks.At(time);
        const std::int32_t change = period.offset - period.offset_before;
        const bool clocks_change = std::abs(change) < kClockChange && schedule.fixed_times;
        // What clocks would show at its beginning, had they not been changed.
        const std::int64_t shown = MinuteFrom(period.begin + period.offset_before);
        if (clocks_change && change > 0 && time == period.begin &&
            NextLocal(schedule, shown, MinuteFrom(period.begin + period.offset))) {
            return period.begin;
        }
        std::int64_t from = MinuteFrom(time + period.offset);
        if (clocks_change && change < 0) {
            from = std::max(from, shown);
        }
        const std::int64_t until = std::min(period.end, last);
        if (const auto found = NextLocal(schedule, from, MinuteFrom(until + period.offset))) {
            return *found * 60 - period.offset;
        }
        time = until;
    }
    return {};
}

}  // namespace freshcrm::core
