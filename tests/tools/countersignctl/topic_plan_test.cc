#include "tools/countersignctl/topic_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "tools/countersignctl/command.h"

namespace countersign::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

class ReadTopicsTest : public testing::Test {
 protected:
  ReadTopicsTest()
      : file_(std::filesystem::temp_directory_path() / ("topics-" + std::to_string(getpid()))) {}
  void TearDown() override { std::filesystem::remove(file_); }

  std::vector<kafka::TopicSpec> Read(const std::string& yaml) const {
    std::ofstream(file_) << yaml;
    return ReadTopics(file_);
  }
  std::string FaultOf(const std::string& yaml) const {
    try {
      static_cast<void>(Read(yaml));
      return "";
    } catch (const std::exception& fault) {
      return fault.what();
    }
  }
  std::filesystem::path file_;
};

TEST_F(ReadTopicsTest, ReadsNamePartitionsAndSettings) {
  const auto specs = Read(
      "topics:\n  - name: a\n    partitions: 6\n    config:\n      retention.ms: 3600000\n"
      "  - name: b\n");
  ASSERT_EQ(specs.size(), 2U);
  EXPECT_EQ(specs[0].name, "a");
  EXPECT_EQ(specs[0].partitions, 6);
  EXPECT_THAT(specs[0].config, ElementsAre(Pair("retention.ms", "3600000")));
  EXPECT_EQ(specs[1].partitions, 1);
}

TEST_F(ReadTopicsTest, TheDeclarationOfThisReleaseIsSound) {
  std::set<std::string> names;
  for (const auto& spec : ReadTopics("deploy/topics.yaml")) {
    names.insert(spec.name);
    EXPECT_THAT(spec.config, testing::Contains(Pair("message.timestamp.type", "LogAppendTime")))
        << spec.name;
  }
  EXPECT_TRUE(names.contains("verification"));
  EXPECT_TRUE(names.contains("auth.log"));
}

TEST_F(ReadTopicsTest, NamesTheTopicAndWhatIsWrongWithIt) {
  EXPECT_THAT(FaultOf("topics:\n  - name: a\n    partitions: 0\n"),
              testing::AllOf(HasSubstr("topic a"), HasSubstr("partitions")));
  EXPECT_THAT(FaultOf("topics:\n  - name: a\n    partitions: many\n"), HasSubstr("partitions"));
  EXPECT_THAT(FaultOf("topics:\n  - name: a\n    partitons: 3\n"), HasSubstr("partitons"));
  EXPECT_THAT(FaultOf("topics:\n  - name: a\n    config:\n      retention.ms: [1]\n"),
              HasSubstr("retention.ms"));
  EXPECT_THAT(FaultOf("topics:\n  - partitions: 3\n"), HasSubstr("name"));
  EXPECT_THAT(FaultOf("topics:\n  - name: a\n  - name: a\n"), HasSubstr("twice"));
  EXPECT_THAT(FaultOf("nothing: here\n"), HasSubstr("topics"));
  EXPECT_THAT(FaultOf("- a\n"), HasSubstr("topics"));
  EXPECT_NE(FaultOf("topics: [\n"), "");
}

kafka::TopicSpec Wanted() {
  return {.name = "a", .partitions = 3, .config = {{"retention.ms", "1000"}}};
}

TEST(TopicPlanTest, FindsNothingWhereNothingDiffers) {
  EXPECT_THAT(Differences(Wanted(), {.partitions = 3, .config = {{"retention.ms", "1000"}}}),
              IsEmpty());
}

TEST(TopicPlanTest, ReportsAnotherPartitionCountAndNeverAppliesIt) {
  for (const int present : {1, 2, 4, 100}) {
    const auto found =
        Differences(Wanted(), {.partitions = present, .config = {{"retention.ms", "1000"}}});
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].what, "partitions");
    EXPECT_EQ(found[0].wanted, "3");
    EXPECT_EQ(found[0].present, std::to_string(present));
    EXPECT_FALSE(found[0].applied);
  }
}

TEST(TopicPlanTest, AppliesDeclaredSettingsAndLeavesOthersAlone) {
  const ActualTopic actual{.partitions = 3, .config = {{"retention.ms", "5"}, {"by.hand", "kept"}}};
  const auto found = Differences(Wanted(), actual);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].what, "retention.ms");
  EXPECT_TRUE(found[0].applied);
  EXPECT_EQ(found[1].what, "by.hand");
  EXPECT_FALSE(found[1].applied);
  EXPECT_THAT(Merged(Wanted(), actual),
              ElementsAre(Pair("by.hand", "kept"), Pair("retention.ms", "1000")));
}

TEST(TopicPlanTest, ASettingThatIsNotSetIsApplied) {
  const auto found = Differences(Wanted(), {.partitions = 3, .config = {}});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].present, "");
  EXPECT_TRUE(found[0].applied);
}

}  // namespace
}  // namespace countersign::ctl
