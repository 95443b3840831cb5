#include <gtest/gtest.h>

#include "libs/log/logger.h"

namespace countersign::log {
namespace {

TEST(RedactedPhone, ShowsCountryCodeAndLastTwoDigits) {
  EXPECT_EQ(RedactedPhone("+14155550123"), "+1•••23");
  EXPECT_EQ(RedactedPhone("+447700900123"), "+44•••23");
  EXPECT_EQ(RedactedPhone("+358401234567"), "+358•••67");
}

TEST(RedactedPhone, ShowsNothingOfWhatIsNoNumber) {
  for (const auto* text : {"", "+", "+1", "+12345", "not a number", "+1415abc0123"}) {
    EXPECT_EQ(RedactedPhone(text), "•••") << text;
  }
}

}  // namespace
}  // namespace countersign::log
