#include "libs/core/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace countersign {
namespace {

TEST(Utf8, AcceptsEveryWellFormedLength) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("plain text that is longer than eight bytes"));
  EXPECT_TRUE(IsUtf8("é € 𝄞 \xef\xbf\xbf \xf4\x8f\xbf\xbf"));
  EXPECT_TRUE(IsUtf8(std::string_view("a\0b", 3)));
}

TEST(Utf8, RefusesOverlongSurrogateTooLargeAndTruncatedForms) {
  for (const std::string bad :
       {"\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "\xff", "\xc3", "\xe2\x82", "\xf0\x9d\x84",
        "eight bytes then\xe2\x28\xa1"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

TEST(Utf8, FindsTheEndOfTheLastWholeCharacter) {
  EXPECT_EQ(Utf8Prefix("ab\xe2\x82"), 2U);
  EXPECT_EQ(Utf8Prefix("ab\xe2\x82\xac"), 5U);
}

}  // namespace
}  // namespace countersign
