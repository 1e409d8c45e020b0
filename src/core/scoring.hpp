// Scores of leads and customers, 0 to 100, with what each factor gave: pure functions of what they
// are told, "now" included.
//
// A score is a weighted mean of factors, each a value from 0 to 1. After RFM, the scoring of
// customers by recency, frequency and monetary value (A. M. Hughes, Strategic Database Marketing,
// 1994), with the stage in the place of money, which a lead has not spent yet. That recency and
// frequency of what a customer does suffice to say much of what it will do is also what BG/NBD is
// built on (P. S. Fader, B. G. S. Hardie and K. L. Lee, "Counting Your Customers" the Easy Way,
// Marketing Science 24 (2), 2005); its parameters have to be estimated from the purchases of a
// cohort, so that the formulas here are simpler ones, whose constants are conventions.
//
// A lead (P-score):
//   recency    2 ^ -(age / 7 days) of the last inbound event: exponential decay, as in G. Cormode,
//              V. Shkapenyuk, D. Srivastava and B. Xu, Forward Decay, ICDE 2009
//   frequency  1 - exp(-n / 3); n is the inbound events of 7 days, and half of those of 14 days
//              before them: one more tells the less, the more there are
//   reply      0.7 × share + 0.3 × last word. The share of inbound among all directional events is
//              the mean of a Beta distribution, (inbound + 1) / (inbound + outbound + 4): of a lead
//              of which nothing is known one in four is expected, and few events say little (the
//              conjugate prior of a proportion: A. Gelman et al., Bayesian Data Analysis, chapter
//              2; with 1 and 1 it is Laplace's rule of succession). The last word is 1 where the
//              last inbound event came after the last outbound one, else 0.
//   channels   1 - 2 ^ -n of n channels
//   stage      what the status stands for (StagePercent), in order of how near it is to a sale
// Engagement of a customer:
//   active_deals 1 - exp(-n / 2), activity 1 - exp(-n / 10) of the activities of 30 days,
//   recency 2 ^ -(age / 14 days) of the last activity, won_deals 1 - exp(-n / 2)
//
// What is not known: a count is 0, a time is none, a status and "now" are neutral, 0.5. All that is
// reported. A time at or after "now" has the age 0; else the age is infinite where either of the
// two is.
//
// Monotone: an inbound event never lowers the P-score, nor does a larger count of them, a later
// last one, one more channel or a later stage. An outbound event never raises it, but through a new
// channel: whoever writes to a lead has not made it better, and what stays without an answer makes
// it worse (reply). So the score is not monotone in the count of all events. When time passes and
// nothing comes it never rises. The engagement score never falls with any of its inputs but "now".
//
// Exact: values are rounded to four decimals and weights, divided by their sum, to six; from there
// on it is integers, so that a score can be worked out by hand from its factors, and is the same on
// every machine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

namespace freshcrm::core {

struct FactorName {
    std::string_view name;
    double default_weight;
};

inline constexpr std::array<FactorName, 5> kLeadFactors{
    {{"recency", 0.35}, {"frequency", 0.25}, {"reply", 0.2}, {"channels", 0.05}, {"stage", 0.15}}};
inline constexpr std::array<FactorName, 4> kEngagementFactors{
    {{"active_deals", 0.3}, {"activity", 0.3}, {"recency", 0.25}, {"won_deals", 0.15}}};
inline constexpr std::size_t kMostFactors = 5;

inline constexpr std::int32_t kValueUnits = 10'000;     // of a value of 1
inline constexpr std::int32_t kShareUnits = 1'000'000;  // of the sum of all weights
inline constexpr std::int32_t kPointUnits = 100;        // of a point of the score

// No weight is larger, so that a sum of them is a number.
inline constexpr double kLargestWeight = 1e9;

// Divides weights by their sum: shares in kShareUnits, of which the sum is that of 1 but for
// rounding. Of as many weights as shares, each from 0 to kLargestWeight. False when all are 0.
bool ShareWeights(std::span<const double> weights, std::span<std::int32_t> shares);

struct Factor {
    std::int32_t value;   // kValueUnits
    std::int32_t share;   // kShareUnits
    std::int32_t points;  // kPointUnits; those of all factors add up to the score
};

// µs since an epoch, the ends of the range being -infinity and infinity: as timestamptz.
using Timestamp = std::int64_t;
inline constexpr Timestamp kInfinitePast = std::numeric_limits<Timestamp>::min();
inline constexpr Timestamp kInfiniteFuture = std::numeric_limits<Timestamp>::max();
inline constexpr Timestamp kMicrosecondsOfDay = 86'400'000'000;

// From 0 on.
using Count = std::optional<std::int64_t>;

struct LeadFacts {
    bool has_statistics;  // false: what follows, but the last two, is not to be read
    Count inbound_total;
    Count outbound_total;
    Count inbound_14d;
    Count inbound_7d;
    Count channels;
    std::optional<Timestamp> last_inbound_at;
    std::optional<Timestamp> last_outbound_at;
    std::optional<Timestamp> now;
    std::optional<std::string_view> status;
};

// Bits of LeadScore::unknown, in the order of kUnknownNames.
enum Unknown : unsigned {
    kUnknownStats = 1U << 0,
    kUnknownInboundTotal = 1U << 1,
    kUnknownOutboundTotal = 1U << 2,
    kUnknownInbound14d = 1U << 3,
    kUnknownInbound7d = 1U << 4,
    kUnknownChannels = 1U << 5,
    kUnknownLastInbound = 1U << 6,   // there are inbound events, but none with a time
    kUnknownLastOutbound = 1U << 7,  // likewise
    kUnknownNow = 1U << 8,
    kUnknownStatus = 1U << 9,  // none, or not in the vocabulary
};
inline constexpr std::array<std::string_view, 10> kUnknownNames{
    "stats",    "inbound_total",   "outbound_total",   "inbound_14d", "inbound_7d",
    "channels", "last_inbound_at", "last_outbound_at", "p_now",       "p_status"};

struct LeadScore {
    std::array<Factor, kLeadFactors.size()> factors;  // in the order of kLeadFactors
    std::int32_t score;                               // kPointUnits: 0 to 10 000
    unsigned unknown;                                 // of Unknown
};

// `shares` are as many as kLeadFactors.
LeadScore ScoreLead(const LeadFacts& facts, std::span<const std::int32_t> shares);

// What a status stands for, 0 to 100; nothing when it is not in the vocabulary (scoring.cpp). Case
// does not count, nor whether words are joined by a space, a hyphen or an underscore. The
// percentages are those of Salesforce's standard stages of opportunities where these have the
// status, and lie between them elsewhere.
std::optional<int> StagePercent(std::string_view status);

struct EngagementFacts {
    Count active_deals;
    Count activity_count_30d;
    Count won_deals;
    std::optional<Timestamp> last_activity_at;
    std::optional<Timestamp> now;
};

// 0 to 10 000, in kPointUnits; `shares` are as many as kEngagementFactors.
std::int32_t ScoreEngagement(const EngagementFacts& facts, std::span<const std::int32_t> shares);

}  // namespace freshcrm::core
