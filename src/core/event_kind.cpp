#include "core/event_kind.hpp"

#include "core/pure.hpp"

namespace freshcrm::core {

namespace {

constexpr std::array<std::string_view, 4> kFailures{"bounced", "failed", "rejected", "undelivered"};
constexpr EventWords kFailureWords(kFailures);

}  // namespace

bool IsFailure(std::string_view status) noexcept {
    return kFailureWords.Find(status, kFailures.size()) != kFailures.size();
}

}  // namespace freshcrm::core
