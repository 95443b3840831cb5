#include "services/auth/domain/country.h"

#include <gtest/gtest.h>

#include <string>

namespace countersign::auth {
namespace {

TEST(CountryTest, KnowsAssignedCodes) {
  for (const char* code : {"AD", "DE", "FR", "GB", "IN", "US", "ZA", "ZW"}) {
    EXPECT_TRUE(IsCountry(code)) << code;
  }
}

TEST(CountryTest, KnowsNoOthers) {
  // User-assigned, reserved, withdrawn, another case, another length.
  for (const char* code : {"", "D", "DEU", "de", "De", "XX", "ZZ", "AA", "EU", "UK", "SU", "YU",
                           "XK", "D ", " D", "1A"}) {
    EXPECT_FALSE(IsCountry(code)) << code;
  }
}

TEST(CountryTest, KnowsAsManyAsIso3166Assigns) {
  int count = 0;
  for (char first = 'A'; first <= 'Z'; ++first) {
    for (char second = 'A'; second <= 'Z'; ++second) {
      count += IsCountry(std::string{first, second}) ? 1 : 0;
    }
  }
  EXPECT_EQ(count, 249);
}

}  // namespace
}  // namespace countersign::auth
