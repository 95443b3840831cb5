#include "libs/jose/claims.h"

#include <gtest/gtest.h>

#include <string>

namespace countersign::jose {
namespace {

TEST(Claims, ReadTextNumbersAndLists) {
  const auto claims = ParseClaims(R"( {"sub":"u","exp":17,"aud":["a","b"],"empty":[]} )");
  ASSERT_TRUE(claims);
  EXPECT_EQ(*TextClaim(*claims, "sub"), "u");
  EXPECT_EQ(NumberClaim(*claims, "exp"), 17);
  EXPECT_EQ(*TextListClaim(*claims, "aud"), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(TextListClaim(*claims, "empty")->empty());
  EXPECT_EQ(TextClaim(*claims, "absent"), nullptr);
}

TEST(Claims, TOK3_KeepAWrongTypeApartFromAbsence) {
  const auto claims = ParseClaims(
      R"({"a":1.5,"b":true,"c":null,"d":{"x":"y"},"e":["x",1],"f":[["x"]],"g":18446744073709551615,
          "h":"7","i":[{"x":"y"}]})");
  ASSERT_TRUE(claims);
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h", "i"}) {
    EXPECT_TRUE(claims->contains(name)) << name;
    EXPECT_FALSE(NumberClaim(*claims, name)) << name;
    EXPECT_EQ(TextListClaim(*claims, name), nullptr) << name;
  }
}

TEST(Claims, TOK4_RefuseDuplicateNamesAtAnyLevel) {
  EXPECT_FALSE(ParseClaims(R"({"sub":"a","sub":"b"})"));
  EXPECT_FALSE(ParseClaims(R"({"sub":"a","s\u0075b":"b"})"));
  EXPECT_FALSE(ParseClaims(R"({"x":{"a":1,"a":2}})"));
  EXPECT_FALSE(ParseClaims(R"({"x":[{"a":1,"a":2}]})"));
  EXPECT_TRUE(ParseClaims(R"({"x":[{"a":1},{"a":2}],"a":3})"));
}

TEST(Claims, TOK4_RefuseWhatIsNotOneObject) {
  for (const char* json : {"",
                           " ",
                           "null",
                           "1",
                           "\"a\"",
                           "[]",
                           "[{}]",
                           "{}{}",
                           "{}x",
                           "{} 1",
                           "{",
                           "}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{'a':1}",
                           "{\"a\":01}",
                           "{\"a\":+1}",
                           "{\"a\":NaN}",
                           "{\"a\":Infinity}",
                           "{\"a\":1}//",
                           "/**/{\"a\":1}",
                           "\xEF\xBB\xBF{}"}) {
    EXPECT_FALSE(ParseClaims(json)) << json;
  }
  EXPECT_FALSE(ParseClaims(std::string_view("{}\0", 3)));
}

TEST(Claims, TOK4_RefuseTextThatIsNotUtf8) {
  EXPECT_TRUE(ParseClaims("{\"a\":\"\xC3\xA9\"}"));
  for (const char* json : {"{\"a\":\"\xFF\"}", "{\"a\":\"\xC3\"}", "{\"\xC0\xAF\":1}",
                           "{\"a\":\"\xED\xA0\x80\"}", "{\"a\":\"\\ud800\"}"}) {
    EXPECT_FALSE(ParseClaims(json));
  }
}

TEST(Claims, TOK4_RefuseDeepNesting) {
  const auto nested = [](std::size_t depth) {
    return std::string("{\"a\":") + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(ParseClaims(nested(7)));
  EXPECT_FALSE(ParseClaims(nested(8)));
  EXPECT_FALSE(ParseClaims(nested(100'000)));
}

TEST(Claims, AreReadBackAsWritten) {
  const Claims claims = {{"aud", std::vector<std::string>{"a"}},
                         {"exp", std::int64_t{-5}},
                         {"sub", std::string("\"quoted\"\n\xC3\xA9")}};
  EXPECT_EQ(ParseClaims(RenderClaims(claims)), claims);
}

}  // namespace
}  // namespace countersign::jose
