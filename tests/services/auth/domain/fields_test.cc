#include "services/auth/domain/fields.h"

#include <gtest/gtest.h>

#include "services/auth/domain/country.h"

namespace countersign::auth {
namespace {

template <typename T>
std::string FieldOf(const Result<T>& result) {
  if (result) return "(accepted)";
  EXPECT_EQ(result.error().reason, &reasons::kFieldInvalid);
  return result.error().field;
}

std::string Repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(CheckName, SplitsAWholeNameAtItsLastSpace) {
  EXPECT_EQ(*CheckName({.name = "Ada Lovelace"}), (PersonName{"Ada", "Lovelace"}));
  EXPECT_EQ(*CheckName({.name = "  Ada  King  Lovelace "}), (PersonName{"Ada  King", "Lovelace"}));
  EXPECT_EQ(*CheckName({.name = "Plato"}), (PersonName{"Plato", ""}));
  EXPECT_EQ(*CheckName({}), (PersonName{"", ""}));
}

TEST(CheckName, TakesTheWholeOrThePartsButNotBoth) {
  EXPECT_EQ(*CheckName({.first_name = "Ada", .last_name = "Lovelace"}),
            (PersonName{"Ada", "Lovelace"}));
  EXPECT_EQ(FieldOf(CheckName({.name = "Ada Lovelace", .last_name = "Lovelace"})), "name");
}

TEST(CheckName, CountsCharactersNotBytes) {
  EXPECT_TRUE(CheckName({.first_name = Repeat("é", 64)}));
  EXPECT_EQ(FieldOf(CheckName({.first_name = Repeat("é", 65)})), "first_name");
  EXPECT_TRUE(CheckName({.last_name = Repeat("𝒜", 64)}));
  EXPECT_EQ(FieldOf(CheckName({.last_name = Repeat("x", 65)})), "last_name");
  EXPECT_TRUE(CheckName({.name = Repeat("x", 128)}));
  EXPECT_EQ(FieldOf(CheckName({.name = Repeat("x", 129)})), "name");
}

TEST(CheckLine, RefusesControlCharactersAndBrokenText) {
  for (const std::string& text :
       {std::string("a\nb"), std::string("a\0b", 3), std::string("\x7f"), std::string("\xc2\x85"),
        std::string("\xff"), std::string("\xc3")})
    EXPECT_EQ(FieldOf(CheckLine("device_id", text, 128)), "device_id");
  EXPECT_EQ(*CheckLine("device_id", " Ada's \"phone\" ", 128), "Ada's \"phone\"");
}

TEST(CheckEmail, AcceptsAddressesAndRefusesTheRest) {
  for (const char* good : {"ada@example.org", "a.b+c@sub.example.co", "x_y@a-b.de"})
    EXPECT_TRUE(CheckEmail(good)) << good;
  EXPECT_EQ(*CheckEmail(""), "");
  for (const std::string& bad :
       {std::string("ada"), std::string("@example.org"), std::string("ada@"),
        std::string("ada@org"), std::string("ada@-x.org"), std::string("a..b@example.org"),
        std::string(".a@example.org"), std::string("a b@example.org"),
        std::string("a@exa mple.org"), std::string("a@example..org"),
        std::string("a@b@") + "example.org", Repeat("a", 65) + "@example.org",
        "a@" + Repeat("example.", 40) + "org", std::string("a\0@example.org", 14)})
    EXPECT_EQ(FieldOf(CheckEmail(bad)), "email") << bad;
}

TEST(CheckEmail, AnAddressInAnotherCaseIsTheSameAddress) {
  EXPECT_EQ(*CheckEmail("Ada@Example.ORG"), *CheckEmail("ada@example.org"));
}

TEST(CheckCountry, AnOverlongCountryIsTheCallersFaultAndNamed) {
  EXPECT_EQ(FieldOf(CheckCountry(Repeat("x", 300), "DE")), "country");
}

TEST(CheckCountry, KnowsTheTableAndFallsBackToTheNumbersRegion) {
  EXPECT_EQ(*CheckCountry("", "DE"), "DE");
  EXPECT_EQ(*CheckCountry("ch", "DE"), "CH");
  for (const char* bad : {"ZZ", "XX", "D", "DEU", "D1", "  "})
    EXPECT_EQ(FieldOf(CheckCountry(bad, "DE")), "country") << bad;
  EXPECT_TRUE(IsCountry("AD"));
  EXPECT_TRUE(IsCountry("ZW"));
  EXPECT_FALSE(IsCountry(""));
  EXPECT_FALSE(IsCountry("de"));
}

TEST(CheckLocale, AcceptsTagsOnly) {
  for (const char* good : {"", "en", "de-CH", "zh-Hant-TW", "sl-rozaj-biske"})
    EXPECT_TRUE(CheckLocale(good)) << good;
  for (const std::string& bad :
       {std::string("-"), std::string("en-"), std::string("-en"), std::string("en_US"),
        std::string("en--US"), std::string("englishxx"), Repeat("en-", 12) + "x",
        std::string("{now}")})
    EXPECT_EQ(FieldOf(CheckLocale(bad)), "locale") << bad;
}

TEST(CheckCode, AcceptsFourToTenDigitsOrLetters) {
  for (const char* good : {"1234", "000000", "A1b2C3d4E5"}) EXPECT_TRUE(CheckCode(good)) << good;
  for (const char* bad : {"", "123", "12345678901", "12 34", "12-34", "१२३४"})
    EXPECT_EQ(FieldOf(CheckCode(bad)), "code") << bad;
}

TEST(CheckVerificationId, AcceptsOneHundredAndTwentyEightBitsOfBase64Url) {
  EXPECT_TRUE(CheckVerificationId("AAAAAAAAAAAAAAAAAAAA-_"));
  for (const char* bad : {"", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA",
                          "AAAAAAAAAAAAAAAAAAAA+/", "AAAAAAAAAAAAAAAAAAAA=="})
    EXPECT_EQ(FieldOf(CheckVerificationId(bad)), "verification_id") << bad;
}

}  // namespace
}  // namespace countersign::auth
