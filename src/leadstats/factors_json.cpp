#include "leadstats/score.hpp"

extern "C" {
#include "utils/jsonb.h"
}
// The standard library after the server's headers.
#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

namespace freshcrm::leadstats {

namespace {

// The bytes of a jsonb are written as JsonbValueToJsonb() would write them (utils/jsonb.h), and
// those of its numbers as numeric.c would (the short form of a numeric), since to make a tree of
// values of them takes most of the time of a score. Regression tests compare them with those that
// the server makes of their text.

// The order of the keys of an object that the server makes a jsonb of (lengthCompareJsonbString).
constexpr bool KeyLess(std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
}

// The members of the object: the factors and, last, what is unknown, and the order of their keys.
constexpr std::size_t kMembers = core::kLeadFactors.size() + 1;
constexpr std::string_view MemberName(std::size_t member) {
    return member < core::kLeadFactors.size() ? core::kLeadFactors[member].name : "unknown";
}

constexpr std::array<std::size_t, kMembers> OrderMembers() {
    std::array<std::size_t, kMembers> order{};
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [](std::size_t a, std::size_t b) { return KeyLess(MemberName(a), MemberName(b)); });
    return order;
}
constexpr auto kMemberOrder = OrderMembers();
static_assert(KeyLess("value", "points") && KeyLess("points", "weight"));

// All that is written is less than this.
constexpr std::size_t kMostBytes = 2048;

// Writes an array or object: its header, an entry for each of its values (keys first), and then the
// values one by one.
class Container {
  public:
    // At a position that is a multiple of 4.
    Container(char* at, uint32 kind, std::size_t size, std::size_t entries)
        : entries_(at + sizeof(uint32)), end_(entries_ + entries * sizeof(JEntry)) {
        const uint32 header = kind | static_cast<uint32>(size);
        std::memcpy(at, &header, sizeof(header));
    }

    void Add(std::string_view text) {
        std::memcpy(end_, text.data(), text.size());
        Close(JENTRY_ISSTRING, end_ + text.size());
    }
    // units / 10^Decimals, from 0 on and less than 10 000: as short as it is, without trailing
    // zeros.
    template <unsigned Decimals>
    void Add(std::int32_t units);
    // Another one, of the same constructor's arguments. `fill` adds what it holds.
    template <typename Fill>
    void Add(uint32 kind, std::size_t size, std::size_t entries, Fill fill) {
        Container inner(Align(end_), kind, size, entries);
        fill(&inner);
        Close(JENTRY_ISCONTAINER, inner.end_);
    }
    char* end() const { return end_; }

  private:
    // The values of a jsonb begin at multiples of 4, as it does; what is left out counts as theirs.
    // It is room that is still to be written to.
    static char* Align(char* at) {
        std::memset(at, 0, ALIGNOF_INT);
        return at + (0 - reinterpret_cast<std::uintptr_t>(at)) % ALIGNOF_INT;
    }
    // Makes the entry of the value that ends there. The first entry has where it ends instead of
    // its size, which is the same; there are no 32 of them, of which another one would have.
    void Close(uint32 type, char* end) {
        const JEntry entry = type | static_cast<uint32>(end - end_) |
                             (closed_ % JB_OFFSET_STRIDE == 0 ? JENTRY_HAS_OFF : 0U);
        std::memcpy(entries_ + sizeof(JEntry) * closed_++, &entry, sizeof(entry));
        end_ = end;
    }

    char* entries_;
    char* end_;
    int closed_ = 0;
};

template <unsigned Decimals>
void Container::Add(std::int32_t units) {
    constexpr std::uint32_t kScale = [] {
        std::uint32_t scale = 1;
        for (unsigned i = 0; i < Decimals; ++i) {
            scale *= 10;
        }
        return scale;
    }();
    const auto whole = static_cast<std::uint32_t>(units) / kScale;
    const auto fraction = static_cast<std::uint32_t>(units) % kScale;
    unsigned decimals = fraction == 0 ? 0 : Decimals;
    for (std::uint32_t rest = fraction; decimals > 0 && rest % 10 == 0; rest /= 10) {
        --decimals;
    }
    // Digits of base 10 000: the whole part, and four and four decimals. What is copied behind them
    // is written over.
    constexpr unsigned kDigits = 3;
    const std::uint32_t decimal_digits = fraction * (100'000'000 / kScale);
    const std::int16_t all[2 * kDigits] = {static_cast<std::int16_t>(whole),
                                           static_cast<std::int16_t>(decimal_digits / 10'000),
                                           static_cast<std::int16_t>(decimal_digits % 10'000)};
    unsigned behind = kDigits;
    while (behind > 0 && all[behind - 1] == 0) {
        --behind;
    }
    unsigned first = 0;
    while (first < behind && all[first] == 0) {
        ++first;
    }
    // NUMERIC_SHORT, the scale shown, and the weight of the first digit, of 7 bits.
    const unsigned weight = first < behind ? 0U - first : 0U;
    const auto header = static_cast<std::uint16_t>(0x8000U | decimals << 7 | (weight & 0x7f));
    char* const at = Align(end_);
    char* const digits = at + VARHDRSZ + sizeof(header);
    SET_VARSIZE(at, VARHDRSZ + sizeof(header) + (behind - first) * sizeof(std::int16_t));
    std::memcpy(at + VARHDRSZ, &header, sizeof(header));
    std::memcpy(digits, all + first, kDigits * sizeof(std::int16_t));
    Close(JENTRY_ISNUMERIC, digits + (behind - first) * sizeof(std::int16_t));
}

void AddFactor(const core::Factor& factor, Container* into) {
    static_assert(core::kValueUnits == 10'000 && core::kShareUnits == 1'000'000 &&
                  core::kPointUnits == 100);
    into->Add("value");
    into->Add("points");
    into->Add("weight");
    into->Add<4>(factor.value);
    into->Add<2>(factor.points);
    into->Add<6>(factor.share);
}

void AddUnknown(unsigned unknown, Container* into) {
    const auto count = static_cast<std::size_t>(__builtin_popcount(unknown));
    into->Add(JB_FARRAY, count, count, [&](Container* array) {
        for (std::size_t i = 0; i < core::kUnknownNames.size(); i++) {
            if ((unknown & (1U << i)) != 0) {
                array->Add(core::kUnknownNames[i]);
            }
        }
    });
}

}  // namespace

Datum FactorsAsJson(const core::LeadScore& score) {
    static_assert(2 * kMembers < JB_OFFSET_STRIDE && core::kUnknownNames.size() < JB_OFFSET_STRIDE);
    auto* json = static_cast<char*>(palloc(kMostBytes));
    Container object(json + VARHDRSZ, JB_FOBJECT, kMembers, 2 * kMembers);
    for (const std::size_t member : kMemberOrder) {
        object.Add(MemberName(member));
    }
    for (const std::size_t member : kMemberOrder) {
        if (member < core::kLeadFactors.size()) {
            object.Add(JB_FOBJECT, 3, 6,
                       [&](Container* factor) { AddFactor(score.factors[member], factor); });
        } else {
            AddUnknown(score.unknown, &object);
        }
    }
    SET_VARSIZE(json, object.end() - json);
    return PointerGetDatum(json);
}

}  // namespace freshcrm::leadstats
