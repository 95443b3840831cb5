#include "libs/kafka/admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/support/kafka.h"

namespace countersign::kafka {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Pair;
using AdminTest = support::KafkaTest;

TEST_F(AdminTest, MakesATopicOnceAndLeavesAnExistingOneAsItIs) {
  Admin admin(support::Cluster());
  const std::string name = support::TopicName();
  EXPECT_EQ(admin.Describe(name, 5s), std::nullopt);
  EXPECT_EQ(admin.Create({.name = name, .partitions = 3, .config = {}}, 10s), Created::kNew);
  EXPECT_EQ(admin.Create({.name = name, .partitions = 5, .config = {}}, 10s), Created::kExists);
  EXPECT_TRUE(support::Eventually([&] { return admin.Describe(name, 5s).has_value(); }));
  EXPECT_EQ(admin.Describe(name, 5s)->partitions, 3);
  admin.Delete(name, 10s);
  EXPECT_TRUE(support::Eventually([&] { return !admin.Describe(name, 5s); }));
}

TEST_F(AdminTest, ReadsWhatWasSetOnTheTopicItselfAndReplacesIt) {
  const support::Topic topic(1, {{"retention.ms", "60000"}});
  Admin admin(support::Cluster());
  EXPECT_THAT(admin.Config(topic.name(), 10s), ElementsAre(Pair("retention.ms", "60000")));
  admin.SetConfig(topic.name(), {{"cleanup.policy", "compact"}}, 10s);
  EXPECT_TRUE(support::Eventually([&] {
    return admin.Config(topic.name(), 10s) == TopicConfig{{"cleanup.policy", "compact"}};
  }));
}

TEST_F(AdminTest, SaysWhatIsWrongWithATopic) {
  Admin admin(support::Cluster());
  EXPECT_THROW(admin.Create({.name = "no such name!", .config = {}}, 10s), Fault);
  EXPECT_THROW(
      admin.Create({.name = support::TopicName(), .replication_factor = 5, .config = {}}, 10s),
      Fault);
  EXPECT_THROW(
      admin.Create({.name = support::TopicName(), .config = {{"no.such.setting", "1"}}}, 10s),
      Fault);
  EXPECT_THROW(static_cast<void>(admin.Config(support::TopicName(), 10s)), Fault);
}

TEST_F(AdminTest, GivesUpWhenItsTimeIsOver) {
  auto nowhere = support::Cluster();
  nowhere.brokers = "127.0.0.1:1";
  Admin admin(nowhere);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_THROW(static_cast<void>(admin.List(200ms)), Fault);
  EXPECT_THROW(admin.Create({.name = "t", .config = {}}, 200ms), Fault);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
}

}  // namespace
}  // namespace countersign::kafka
