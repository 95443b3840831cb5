#include "tools/countersignctl/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace countersign::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<Option> kOptions = {{"file", "FILE", "a file", "default.yaml"},
                                      {"url", "URL", "where", "", "THE_URL"},
                                      {"count", "N", "how many", "7"},
                                      {"all", "", "everything"},
                                      {"tls", "", "safely", "", "TLS"}};

Arguments Parse(const std::vector<std::string>& words,
                const std::optional<std::string>& url = std::nullopt) {
  return {kOptions, words,
          [&](const std::string& name) { return name == "THE_URL" ? url : std::nullopt; }};
}
std::string FaultOf(const std::vector<std::string>& words) {
  try {
    static_cast<void>(Parse(words));
    return "";
  } catch (const UsageFault& fault) {
    return fault.what();
  }
}

TEST(ArgumentsTest, TakesAValueAsTheNextWordOrBehindAnEqualsSign) {
  EXPECT_EQ(Parse({"--file", "a"}).Text("file"), "a");
  EXPECT_EQ(Parse({"--file=a=b"}).Text("file"), "a=b");
  EXPECT_EQ(Parse({"--file="}).Text("file"), "");
  EXPECT_EQ(Parse({"--file", "--all"}).Text("file"), "--all");
  EXPECT_EQ(Parse({"--file", "a", "--file", "b"}).Text("file"), "b");
}

TEST(ArgumentsTest, AsksTheOptionThenTheEnvironmentThenTheFallback) {
  EXPECT_EQ(Parse({}).Text("file"), "default.yaml");
  EXPECT_EQ(Parse({}, "from environment").Text("url"), "from environment");
  EXPECT_EQ(Parse({"--url", "given"}, "from environment").Text("url"), "given");
  EXPECT_EQ(Parse({}).Text("url"), "");
}

TEST(ArgumentsTest, ASwitchMayComeFromTheEnvironmentAsTrueOrFalse) {
  const auto tls = [](const std::string& text, const std::vector<std::string>& words = {}) {
    return Arguments(kOptions, words,
                     [&](const std::string& name) {
                       return name == "TLS" ? std::optional(text) : std::nullopt;
                     })
        .Flag("tls");
  };
  EXPECT_TRUE(tls("true"));
  EXPECT_FALSE(tls("false"));
  EXPECT_FALSE(tls(""));
  EXPECT_TRUE(tls("false", {"--tls"}));
  EXPECT_THROW(static_cast<void>(tls("yes")), UsageFault);
  EXPECT_FALSE(Parse({}).Flag("tls"));
}

TEST(ArgumentsTest, SeparatesPositionals) {
  const auto arguments = Parse({"one", "--all", "-", "--", "--file", "-x"});
  EXPECT_THAT(arguments.positionals(), ElementsAre("one", "-", "--file", "-x"));
  EXPECT_TRUE(arguments.Flag("all"));
  EXPECT_EQ(arguments.Text("file"), "default.yaml");
}

TEST(ArgumentsTest, KnowsHelp) {
  EXPECT_TRUE(Parse({"--help"}).help());
  EXPECT_TRUE(Parse({"-h"}).help());
  EXPECT_FALSE(Parse({"help"}).help());
}

TEST(ArgumentsTest, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(FaultOf({"--nonsense"}), HasSubstr("--nonsense"));
  EXPECT_THAT(FaultOf({"-x"}), HasSubstr("-x"));
  EXPECT_THAT(FaultOf({"--file"}), HasSubstr("needs a value"));
  EXPECT_THAT(FaultOf({"--all=yes"}), HasSubstr("takes no value"));
  EXPECT_THAT(FaultOf({"--fil", "a"}), HasSubstr("--fil"));
}

TEST(ArgumentsTest, NamesOptionAndVariableOfWhatIsNeeded) {
  try {
    static_cast<void>(Parse({}).Required("url"));
    FAIL();
  } catch (const UsageFault& fault) {
    EXPECT_THAT(fault.what(), testing::AllOf(HasSubstr("--url"), HasSubstr("THE_URL")));
  }
}

TEST(ArgumentsTest, TakesWholeNumbersInTheirRangeOnly) {
  EXPECT_EQ(Parse({}).Number("count", 1, 9), 7);
  EXPECT_EQ(Parse({"--count", "-3"}).Number("count", -5, 9), -3);
  for (const char* text : {"", "x", "1x", "1.5", " 1", "0x1", "99999999999999999999", "10", "0"}) {
    EXPECT_THROW(static_cast<void>(Parse({"--count", text}).Number("count", 1, 9)), UsageFault)
        << text;
  }
}

}  // namespace
}  // namespace countersign::ctl
