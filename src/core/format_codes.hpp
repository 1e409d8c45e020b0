// Formats of to_char(), as far as settings of the server show in what it writes
// (PostgreSQL: utils/adt/formatting.c).
#pragma once

#include <string_view>

namespace freshcrm::core {

// Of dates and times: no TM prefix, with which names of days and months are those of lc_time.
bool DateFormatIsFixed(std::string_view format) noexcept;

// Of numbers: none of the codes D, G, L and S, whose signs are those of lc_numeric or lc_monetary.
bool NumberFormatIsFixed(std::string_view format) noexcept;

}  // namespace freshcrm::core
