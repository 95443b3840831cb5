#include "services/auth/domain/phone_number.h"

#include <gtest/gtest.h>

namespace countersign::auth {
namespace {

TEST(ParsePhoneNumber, GivesEverySpellingOfANumberTheSameForm) {
  for (const char* spelling : {"+4915112345678", "+49 151 1234 5678", "+49 (0)151/12345678",
                               "+49-151-12345678", " +49.151.12345678 ", "(+49) 15112345678"}) {
    const auto number = ParsePhoneNumber(spelling);
    ASSERT_TRUE(number) << spelling;
    EXPECT_EQ(number->e164, "+4915112345678") << spelling;
    EXPECT_EQ(number->region, "DE") << spelling;
  }
}

TEST(ParsePhoneNumber, TellsRegionsThatShareACountryCode) {
  EXPECT_EQ(ParsePhoneNumber("+14155550123")->region, "US");
  EXPECT_EQ(ParsePhoneNumber("+14165550123")->region, "CA");
  EXPECT_EQ(ParsePhoneNumber("+447400123456")->region, "GB");
}

TEST(ParsePhoneNumber, KeepsALeadingZeroThatIsPartOfTheNumber) {
  EXPECT_EQ(ParsePhoneNumber("+39 06 1234 5678")->e164, "+390612345678");
}

TEST(ParsePhoneNumber, NeedsTheCountryCode) {
  for (const char* text : {"015112345678", "4155550123", "0049 151 12345678", "151+4912345678"})
    EXPECT_FALSE(ParsePhoneNumber(text)) << text;
}

TEST(ParsePhoneNumber, RefusesWhatIsNoNumberAndNamesTheField) {
  const std::string nul(
      "+49151\0"
      "12345678",
      15);
  for (const std::string& text :
       {std::string(), std::string("+"), std::string("+1 800 FLOWERS"),
        std::string("+4915112345678x12"), std::string("+4915112345678;ext=1"),
        std::string("++4915112345678"), std::string("+49"), std::string("+999123456789"),
        std::string("+1415555012"), std::string(33, '1'), std::string("+49151123456789012345"),
        std::string("+\xD9\xA4\xD9\xA9 15112345678"), nul, std::string("+49\n15112345678"),
        std::string("+49 \xff 15112345678")}) {
    const auto number = ParsePhoneNumber(text);
    ASSERT_FALSE(number) << text;
    EXPECT_EQ(number.error().reason, &reasons::kPhoneNumberInvalid);
    EXPECT_EQ(number.error().field, "phone_number");
    EXPECT_EQ(number.error().detail, "") << "a number must not travel in an error";
  }
}

}  // namespace
}  // namespace countersign::auth
