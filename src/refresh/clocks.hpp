// The clocks of the server's time zones: those of pg_timezone_names and whatever else SET TimeZone
// takes (not abbreviations such as CEST, which have no clocks of their own to change).
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "pgtime.h"
}

#include "core/cron.hpp"

namespace freshcrm::refresh {

// The zone of this name. 22023 for none, as SET TimeZone has it.
const pg_tz* FindZone(const char* name);

// When a period has begun is looked for one day back, as core::Clocks allows.
class ZoneClocks final : public core::Clocks {
  public:
    explicit ZoneClocks(const pg_tz* zone) : zone_(zone) {}
    core::ClockPeriod At(std::int64_t time) const override;

  private:
    const pg_tz* zone_;
};

}  // namespace freshcrm::refresh
