#include "services/outbox-relay/domain/flat_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace countersign::relay {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

std::vector<std::pair<std::string, std::string>> Read(std::string_view text) {
  FlatJson json;
  const auto members = json.Read(text);
  std::vector<std::pair<std::string, std::string>> copied;
  if (!members) return {{"refused", ""}};
  for (const auto& [name, value] : **members) copied.emplace_back(name, value);
  return copied;
}
bool Refused(std::string_view text) { return !FlatJson().Read(text); }

TEST(FlatJsonTest, ReadsAnObjectOfStringsInItsOrder) {
  EXPECT_THAT(Read("{}"), IsEmpty());
  EXPECT_THAT(Read(" { } "), IsEmpty());
  EXPECT_THAT(Read(R"({"b": "1", "a":"2" , "b":"3"})"),
              ElementsAre(Pair("b", "1"), Pair("a", "2"), Pair("b", "3")));
  EXPECT_THAT(Read("\t{\n\"a\"\r:\n\"\"}\n"), ElementsAre(Pair("a", "")));
  EXPECT_THAT(Read("{\"\":\"x\"}"), ElementsAre(Pair("", "x")));
}

TEST(FlatJsonTest, ResolvesEscapes) {
  EXPECT_THAT(Read(R"({"a":"\"\\\/\b\f\n\r\t"})"), ElementsAre(Pair("a", "\"\\/\b\f\n\r\t")));
  EXPECT_THAT(Read(R"({"\u0061":"\u00e4\u20AC\ud83d\ude00"})"),
              ElementsAre(Pair("a", "\u00e4\u20ac\U0001F600")));
  EXPECT_THAT(Read(R"({"a":"\ud800\udc00\udbff\udfff"})"),
              ElementsAre(Pair("a", "\U00010000\U0010FFFF")));
  EXPECT_THAT(Read("{\"a\":\"\u00e4\u20ac\U0001F600\"}"),
              ElementsAre(Pair("a", "\u00e4\u20ac\U0001F600")));
}

TEST(FlatJsonTest, RefusesWhatIsNoObjectOfStrings) {
  for (const char* text : {"",
                           " ",
                           "null",
                           "[]",
                           "\"a\"",
                           "1",
                           "{",
                           "}",
                           "{]",
                           R"({"a"})",
                           R"({"a":})",
                           R"({"a":1})",
                           R"({"a":true})",
                           R"({"a":null})",
                           R"({"a":{}})",
                           R"({"a":["b"]})",
                           R"({"a":"b",})",
                           R"({,"a":"b"})",
                           R"({"a":"b" "c":"d"})",
                           R"({"a":"b"}x)",
                           R"({"a":"b"}{})",
                           R"({a:"b"})",
                           R"({'a':'b'})",
                           R"({"a":"b)",
                           R"({"a":"b\)",
                           R"({"a":"b\"})",
                           R"({"a":"\x41"})",
                           R"({"a":"\u12"})",
                           R"({"a":"\u12g4"})",
                           R"({"a":"\u-123"})",
                           R"({"a":"\u 123"})"}) {
    EXPECT_TRUE(Refused(text)) << text;
  }
}

TEST(FlatJsonTest, RefusesNulLoneSurrogatesAndRawControls) {
  for (const char* text :
       {R"({"a":"\u0000"})", R"({"\u0000":"a"})", R"({"a":"\ud800"})", R"({"a":"\ud800x"})",
        R"({"a":"\ud800\n"})", R"({"a":"\ud800\u0041"})", R"({"a":"\ud800\ud800"})",
        R"({"a":"\udc00"})", "{\"a\":\"\n\"}", "{\"a\":\"\x1f\"}", "{\"a\":\"\\\n\"}"}) {
    EXPECT_TRUE(Refused(text)) << text;
  }
  EXPECT_TRUE(Refused(std::string_view("{\"a\":\"\0\"}", 9)));
}

TEST(FlatJsonTest, KeepsItsViewsThroughManyEscapedMembers) {
  std::string text = "{";
  for (int i = 0; i < 200; ++i) {
    text += (i > 0 ? "," : "") + ("\"k\\u0061" + std::to_string(i)) + "\":\"\\tv" +
            std::to_string(i) + "\"";
  }
  const auto members = Read(text + "}");
  ASSERT_EQ(members.size(), 200U);
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(members[i].first, "ka" + std::to_string(i));
    EXPECT_EQ(members[i].second, "\tv" + std::to_string(i));
  }
}

TEST(FlatJsonTest, CanBeUsedAgainAfterARefusal) {
  FlatJson json;
  EXPECT_FALSE(json.Read(R"({"a":"b","c":)"));
  const auto members = json.Read(R"({"d":"e"})");
  ASSERT_TRUE(members);
  EXPECT_THAT(**members, ElementsAre(Pair("d", "e")));
}

// No text whatever makes it read beyond its end: ASan watches.
TEST(FlatJsonTest, SurvivesEveryTruncationAndRandomChange) {
  const std::string text = R"({"traceparent":"00-\u00e4\ud83d\ude00","actor":"\"x\\","n":""})";
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_TRUE(Refused(std::string(text.data(), size))) << size;
  }
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string changed = text;
    for (unsigned n = random() % 4 + 1; n > 0; --n) {
      changed[random() % changed.size()] = static_cast<char>(random() % 256);
    }
    static_cast<void>(Read(std::string(changed)));
  }
}

}  // namespace
}  // namespace countersign::relay
