#include "core/format_codes.hpp"

#include <gtest/gtest.h>

namespace freshcrm::core {
namespace {

TEST(FormatCodes, DatesAreFixedWithoutNamesOfTheLocale) {
    for (const char* format :
         {"", "YYYY-MM-DD", "YYYY-MM", "Month Day", "HH12:MI:SS.US am", "IYYY\"-W\"IW",
          "\"TM\"YYYY", R"("at \"TM\" "HH24)", "FMMonth", "T M", "T\"x\"M", "J Q RM BC TZ OF"}) {
        EXPECT_TRUE(DateFormatIsFixed(format)) << format;
    }
    for (const char* format : {"TMMonth", "tmday", "Tmmon", "YYYY TMMon", "\"x\"TMMon",
                               R"(\"TMMon\")", "\"TM\" TMMon", R"("a\"b"TMMon)", "FMTMDay"}) {
        EXPECT_FALSE(DateFormatIsFixed(format)) << format;
    }
}

TEST(FormatCodes, NumbersAreFixedWithoutSignsOfTheLocale) {
    for (const char* format :
         {"", "999", "000", "FM999,990.00", "9.99EEEE", "999PR", "MI999", "PL999", "SG999", "sg999",
          "RN", "999th", "99V99", "9\"kg\"", "pl9 sg"}) {
        EXPECT_TRUE(NumberFormatIsFixed(format)) << format;
    }
    for (const char* format : {"9D99", "9G999", "L999", "S999", "999S", "fm9d0", "9g9", "l9", "s9",
                               "SPL9", "9\"kg\"D0", "SGL9", "PLS", "S\"x\"G9"}) {
        EXPECT_FALSE(NumberFormatIsFixed(format)) << format;
    }
}

}  // namespace
}  // namespace freshcrm::core
