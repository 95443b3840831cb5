// topics and events on a real Kafka.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "libs/kafka/admin.h"
#include "libs/kafka/producer.h"
#include "tests/support/kafka.h"
#include "tests/tools/countersignctl/ctl_run.h"

namespace countersign::ctl {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Told OnCluster(const std::vector<std::string>& words) {
  return RunCtl(words, {{"KAFKA_BROKERS", support::Brokers()}});
}

class TopicsTest : public support::KafkaTest {
 protected:
  TopicsTest()
      : file_(std::filesystem::temp_directory_path() / ("topics-" + std::to_string(getpid()))) {}
  void TearDown() override {
    std::filesystem::remove(file_);
    if (made_) support::Delete(topic_);
  }
  void Declare(int partitions, const std::string& retention) const {
    std::ofstream(file_) << "topics:\n  - name: " << topic_ << "\n    partitions: " << partitions
                         << "\n    config:\n      retention.ms: " << retention << "\n";
  }
  [[nodiscard]] Told Topics(const std::string& what, std::vector<std::string> more = {}) {
    made_ = made_ || what == "apply";
    more.insert(more.begin(), {"topics", what, "--file", file_.string()});
    return OnCluster(more);
  }
  [[nodiscard]] int Partitions() const {
    return kafka::Admin(support::Cluster()).Describe(topic_, 10s)->partitions;
  }
  [[nodiscard]] kafka::TopicConfig Config() const {
    return kafka::Admin(support::Cluster()).Config(topic_, 10s);
  }

  const std::string topic_ = support::TopicName();
  std::filesystem::path file_;
  bool made_ = false;
};

TEST_F(TopicsTest, MakesWhatLacksOnce) {
  Declare(3, "60000");
  const auto missing = Topics("diff");
  EXPECT_EQ(missing.exit, kDiffers);
  EXPECT_THAT(missing.out, AllOf(HasSubstr(topic_), HasSubstr("missing")));
  const auto first = Topics("apply");
  EXPECT_EQ(first.exit, kOk) << first.err;
  EXPECT_THAT(first.out, HasSubstr("created " + topic_ + " (3 partitions)"));
  EXPECT_EQ(Partitions(), 3);
  EXPECT_EQ(Topics("diff").exit, kOk);
  EXPECT_THAT(Topics("apply").out, HasSubstr("nothing to apply"));
}

TEST_F(TopicsTest, NeverChangesTheNumberOfPartitions) {
  Declare(3, "60000");
  ASSERT_EQ(Topics("apply").exit, kOk);
  for (const int declared : {6, 1}) {
    Declare(declared, "60000");
    const auto told = Topics("apply");
    EXPECT_EQ(told.exit, kDiffers);
    EXPECT_THAT(told.out, AllOf(HasSubstr("left alone"), HasSubstr("partitions")));
    EXPECT_EQ(Partitions(), 3);
  }
}

TEST_F(TopicsTest, ChangesDeclaredSettingsAndKeepsThoseSetByHand) {
  Declare(1, "60000");
  ASSERT_EQ(Topics("apply").exit, kOk);
  kafka::Admin(support::Cluster())
      .SetConfig(topic_, {{"retention.ms", "60000"}, {"segment.ms", "77777"}}, 10s);
  Declare(1, "90000");
  const auto diff = Topics("diff", {"--json"});
  EXPECT_EQ(diff.exit, kDiffers);
  EXPECT_EQ(nlohmann::json::parse(diff.out).size(), 2U);
  const auto told = Topics("apply");
  EXPECT_EQ(told.exit, kDiffers);
  EXPECT_THAT(told.out, AllOf(HasSubstr("changed"), HasSubstr("left alone")));
  EXPECT_TRUE(support::Eventually([&] {
    return Config() == kafka::TopicConfig{{"retention.ms", "90000"}, {"segment.ms", "77777"}};
  }));
}

TEST_F(TopicsTest, TellsWhatTheClusterRefuses) {
  Declare(1, "not-a-number");
  const auto told = Topics("apply");
  made_ = false;
  EXPECT_NE(told.exit, kOk);
  EXPECT_THAT(told.err, HasSubstr(topic_));
}

class EventsTest : public support::KafkaTest {
 protected:
  static void Append(const support::Topic& topic, const std::string& key,
                     const std::string& value) {
    kafka::ProducerSettings settings;
    settings.client = support::Cluster();
    kafka::Producer producer(settings);
    kafka::Headers headers;
    headers.Add("ce_type", "user.created");
    headers.Add("ce_sequence", "4");
    ASSERT_EQ(producer.Produce({.topic = topic.name(), .key = key, .value = value}, headers),
              kafka::Produced::kQueued);
    ASSERT_TRUE(producer.Flush(10s, [](const kafka::Delivery&) {}));
  }
  static Told Tail(const support::Topic& topic, std::vector<std::string> more) {
    more.insert(more.begin(), {"events", "tail", "--topic", topic.name()});
    return OnCluster(more);
  }
};

TEST_F(EventsTest, PrintsATopicFromItsBeginningToItsEnd) {
  const support::Topic topic(3);
  EXPECT_THAT(Tail(topic, {"--from-beginning", "--to-end"}).out, IsEmpty());
  Append(topic, "user-1", R"({"a": 1})");
  Append(topic, "user-2", R"({"a": 2})");
  const auto told = Tail(topic, {"--from-beginning", "--to-end"});
  EXPECT_EQ(told.exit, kOk) << told.err;
  EXPECT_THAT(told.out, AllOf(HasSubstr("user.created"), HasSubstr("user-1"), HasSubstr("user-2"),
                              HasSubstr("seq 4"), HasSubstr(R"({"a":1})")));
}

TEST_F(EventsTest, PrintsTheEventsOfOneKeyAndStopsAfterAsManyAsAskedFor) {
  const support::Topic topic;
  for (int i = 0; i < 4; ++i) {
    Append(topic, i % 2 == 0 ? "mine" : "other", "{\"n\":" + std::to_string(i) + "}");
  }
  const auto told = Tail(topic, {"--from-beginning", "--key", "mine", "--max", "1"});
  EXPECT_THAT(told.out,
              AllOf(HasSubstr("\"n\":0"), Not(HasSubstr("other")), Not(HasSubstr("\"n\":2"))));
}

TEST_F(EventsTest, AsJsonEachEventIsOneLineWithItsHeaders) {
  const support::Topic topic;
  Append(topic, "k", R"({"a": 1})");
  const auto told = Tail(topic, {"--from-beginning", "--to-end", "--json"});
  const auto record = nlohmann::json::parse(told.out);
  EXPECT_EQ(record["topic"], topic.name());
  EXPECT_EQ(record["key"], "k");
  EXPECT_EQ(record["value"]["a"], 1);
  EXPECT_EQ(record["headers"]["ce_type"], "user.created");
  EXPECT_EQ(std::ranges::count(told.out, '\n'), 1);
}

// Foreign bytes must break neither the line nor the terminal.
TEST_F(EventsTest, PrintsForeignBytesHarmlessly) {
  const support::Topic topic;
  Append(topic, "k\n\x1b[31m", std::string("no json \0\xff\x1b[31m\n", 16));
  for (const char* format : {"--json", "--to-end"}) {
    const auto told = Tail(topic, {"--from-beginning", "--to-end", format});
    EXPECT_EQ(told.exit, kOk) << told.err;
    EXPECT_EQ(std::ranges::count(told.out, '\n'), 1);
    EXPECT_EQ(told.out.find('\x1b'), std::string::npos);
    EXPECT_EQ(told.out.find('\xff'), std::string::npos);
  }
}

TEST_F(EventsTest, AForeignHeaderCannotReachTheTerminalEither) {
  const support::Topic topic;
  kafka::ProducerSettings settings;
  settings.client = support::Cluster();
  kafka::Producer producer(settings);
  kafka::Headers headers;
  headers.Add("ce_type", "\x1b[31m\nforged line");
  ASSERT_EQ(producer.Produce({.topic = topic.name(), .key = "k", .value = "{}"}, headers),
            kafka::Produced::kQueued);
  ASSERT_TRUE(producer.Flush(10s, [](const kafka::Delivery&) {}));
  const auto told = Tail(topic, {"--from-beginning", "--to-end"});
  EXPECT_EQ(told.out.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::ranges::count(told.out, '\n'), 1);
}

TEST_F(EventsTest, AnUnknownTopicIsNamed) {
  const auto told = OnCluster({"events", "tail", "--topic", "no.such.topic"});
  EXPECT_EQ(told.exit, kFailed);
  EXPECT_THAT(told.err, HasSubstr("no.such.topic"));
}

}  // namespace
}  // namespace countersign::ctl
