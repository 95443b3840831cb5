#include "libs/kafka/producer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/support/kafka.h"

namespace countersign::kafka {
namespace {

using namespace std::chrono_literals;
using support::Topic;
using testing::ElementsAre;
using testing::Pair;

class ProducerTest : public support::KafkaTest {
 protected:
  static ProducerSettings Settings() {
    ProducerSettings settings;
    settings.client = support::Cluster();
    return settings;
  }
  // Produces until it is queued; the headers are empty.
  void Send(Producer& producer, const Record& record) {
    ASSERT_TRUE(support::Eventually([&] {
      Headers headers(0);
      const auto produced = producer.Produce(record, headers);
      if (produced == Produced::kQueueFull) producer.Drain(Noting());
      return produced == Produced::kQueued;
    }));
  }
  // Notes what became of each token.
  std::function<void(const Delivery&)> Noting() {
    return [this](const Delivery& delivery) {
      EXPECT_TRUE(fates_.emplace(delivery.token, delivery.code).second)
          << delivery.token << " has two fates";
    };
  }
  [[nodiscard]] std::size_t Acknowledged() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(fates_, [](const auto& fate) { return fate.second == 0; }));
  }
  std::map<std::uint64_t, int> fates_;
};

TEST_F(ProducerTest, BringsKeyValueAndHeadersByteForByte) {
  const Topic topic;
  Producer producer(Settings());
  Headers headers;
  headers.Add("ce_id", "e-1");
  headers.Add("empty", "");
  headers.Add("binary", std::string_view("a\0\xff", 3));
  headers.Add("ce_id", "again");
  const std::string key("k\0ey", 4);
  const std::string value("{\"a\": 1}\0\xff", 10);
  ASSERT_EQ(producer.Produce({.topic = topic.name(), .key = key, .value = value}, headers),
            Produced::kQueued);
  ASSERT_TRUE(producer.Flush(10s, Noting()));
  const auto records = topic.Read();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].key, key);
  EXPECT_EQ(records[0].value, value);
  EXPECT_THAT(records[0].headers,
              ElementsAre(Pair("ce_id", "e-1"), Pair("empty", ""),
                          Pair("binary", std::string("a\0\xff", 3)), Pair("ce_id", "again")));
}

TEST_F(ProducerTest, TellsHowBigARecordWasAndHowLongItTook) {
  const Topic topic;
  Producer producer(Settings());
  const auto began = std::chrono::steady_clock::now();
  Send(producer, {.topic = topic.name(), .key = "four", .value = "seventy", .token = 1});
  std::size_t bytes = 0;
  std::chrono::microseconds age{-1};
  ASSERT_TRUE(producer.Flush(10s, [&](const Delivery& delivery) {
    bytes = delivery.bytes;
    age = delivery.Age();
  }));
  EXPECT_EQ(bytes, 11U);
  EXPECT_GT(age.count(), 0);
  EXPECT_LE(age, std::chrono::steady_clock::now() - began);
}

TEST_F(ProducerTest, TellsTheFateOfEachRecordOnce) {
  const Topic topic;
  Producer producer(Settings());
  for (std::uint64_t i = 0; i < 1000; ++i) {
    Send(producer, {.topic = topic.name(), .key = "k", .value = "v", .token = i});
  }
  ASSERT_TRUE(producer.Flush(10s, Noting()));
  EXPECT_EQ(fates_.size(), 1000U);
  EXPECT_EQ(Acknowledged(), 1000U);
  EXPECT_EQ(producer.InFlight(), 0U);
}

// The figures of the Java client's own tests (org.apache.kafka.common.utils.Utils.murmur2).
TEST_F(ProducerTest, ChoosesThePartitionThatTheJavaClientChooses) {
  const std::map<std::string, std::int32_t> hashes = {
      {"21", -973932308},
      {"foobar", -790332482},
      {"a-little-bit-long-string", -985981536},
      {"a-little-bit-longer-string", -1486304829},
      {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
      {"abc", 479470107}};
  constexpr int kPartitions = 97;
  const Topic topic(kPartitions);
  Producer producer(Settings());
  for (const auto& [key, hash] : hashes) {
    Send(producer,
         {.topic = topic.name(), .key = key, .value = "v", .token = std::uint64_t(-hash)});
  }
  ASSERT_TRUE(producer.Flush(10s, Noting()));
  for (const auto& record : topic.Read()) {
    EXPECT_EQ(record.partition, (hashes.at(record.key) & 0x7fffffff) % kPartitions) << record.key;
  }
}

TEST_F(ProducerTest, KeepsTheOrderOfEveryKeyWithManyRequestsInFlight) {
  constexpr std::uint64_t kRecords = 20'000;
  const Topic topic(3);
  auto settings = Settings();
  settings.client.properties = {{"batch.num.messages", "50"}};
  Producer producer(settings);
  for (std::uint64_t i = 0; i < kRecords; ++i) {
    Send(producer, {.topic = topic.name(),
                    .key = std::to_string(i % 10),
                    .value = std::to_string(i),
                    .token = i});
    if (i % 100 == 0) producer.Drain(Noting());
  }
  ASSERT_TRUE(producer.Flush(20s, Noting()));
  std::map<std::string, std::uint64_t> last;
  std::size_t count = 0;
  for (const auto& record : topic.Read()) {
    const auto number = std::stoull(record.value);
    const auto [found, first] = last.try_emplace(record.key, number);
    if (!first) {
      EXPECT_EQ(number, found->second + 10);
    }
    found->second = number;
    ++count;
  }
  EXPECT_EQ(count, kRecords);
}

TEST_F(ProducerTest, TellsThatATopicDoesNotExistAndFindsItOnceItDoes) {
  const std::string name = support::TopicName();
  Producer producer(Settings());
  Headers headers;
  const Record record{.topic = name, .key = "k", .value = "v"};
  EXPECT_EQ(producer.Produce(record, headers), Produced::kUnknownTopic);
  EXPECT_EQ(producer.Produce(record, headers), Produced::kUnknownTopic);
  EXPECT_EQ(producer.Produce({.topic = "no such name!", .key = "k", .value = "v"}, headers),
            Produced::kUnknownTopic);
  support::Create(name, 1);
  EXPECT_TRUE(
      support::Eventually([&] { return producer.Produce(record, headers) == Produced::kQueued; }));
  EXPECT_TRUE(producer.Flush(10s, Noting()));
  EXPECT_EQ(Acknowledged(), 1U);
  support::Delete(name);
}

TEST_F(ProducerTest, TellsThatARecordIsTooLargeAndTakesTheNext) {
  const Topic topic;
  Producer producer(Settings());
  Headers headers;
  const std::string large(2'000'000, 'x');
  EXPECT_EQ(producer.Produce({.topic = topic.name(), .key = "k", .value = large}, headers),
            Produced::kTooLarge);
  EXPECT_EQ(producer.Produce({.topic = topic.name(), .key = "k", .value = "v"}, headers),
            Produced::kQueued);
  EXPECT_TRUE(producer.Flush(10s, Noting()));
  EXPECT_THAT(topic.Values(), ElementsAre("v"));
}

TEST_F(ProducerTest, TellsThatNoBrokerAnswersWithoutWaitingLong) {
  auto settings = Settings();
  settings.client.brokers = "127.0.0.1:1";
  int troubles = 0;
  settings.on_error = [&](const Fault&) { ++troubles; };
  Producer producer(settings);
  EXPECT_FALSE(producer.Reach(100ms));
  Headers headers;
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(producer.Produce({.topic = "t", .key = "k", .value = "v"}, headers),
            Produced::kUnreachable);
  EXPECT_LT(std::chrono::steady_clock::now() - began, Producer::kTopicLookup + 500ms);
  producer.Drain([](const Delivery&) {});
  EXPECT_GT(troubles, 0);
}

// What follows a refused record must not overtake it: the producer dies, and whoever owns it begins
// again behind what was acknowledged.
TEST_F(ProducerTest, AfterARefusalByTheBrokerNothingLaterOfThatPartitionIsAppended) {
  const Topic topic(1, {{"max.message.bytes", "2000"}});
  Producer producer(Settings());
  const std::string large(10'000, 'x');
  for (std::uint64_t i = 0; i < 5; ++i) {
    Send(producer, {.topic = topic.name(), .key = "k", .value = std::to_string(i), .token = i});
  }
  ASSERT_TRUE(producer.Flush(10s, Noting()));
  Send(producer, {.topic = topic.name(), .key = "k", .value = large, .token = 5});
  EXPECT_THROW(
      {
        for (std::uint64_t i = 6; i < 100'000; ++i) {
          Headers headers(0);
          static_cast<void>(producer.Produce(
              {.topic = topic.name(), .key = "k", .value = std::to_string(i), .token = i},
              headers));
          producer.Drain(Noting());
        }
      },
      FatalFault);
  EXPECT_THAT(topic.Values(), ElementsAre("0", "1", "2", "3", "4"));
  EXPECT_EQ(Acknowledged(), 5U);
}

// A broker that has nothing yet of a producer takes whichever of its batches comes first.
TEST_F(ProducerTest, AfterARefusalOfItsVeryFirstRecordNothingLaterOfThatPartitionIsAppended) {
  const std::string large(10'000, 'x');
  for (int attempt = 0; attempt < 5; ++attempt) {
    const Topic topic(1, {{"max.message.bytes", "2000"}});
    auto settings = Settings();
    settings.client.properties = {{"batch.num.messages", "1"}};
    Producer producer(settings);
    EXPECT_THROW(
        {
          Headers headers(0);
          ASSERT_EQ(producer.Produce({.topic = topic.name(), .key = "k", .value = large}, headers),
                    Produced::kQueued);
          for (std::uint64_t i = 1; i < 1'000'000; ++i) {
            Headers more(0);
            static_cast<void>(producer.Produce(
                {.topic = topic.name(), .key = "k", .value = "behind", .token = i}, more));
            producer.Drain([](const Delivery&) {});
          }
        },
        FatalFault);
    EXPECT_THAT(topic.Values(), testing::IsEmpty());
  }
}

TEST_F(ProducerTest, OtherPartitionsDoNotWaitForTheFirstAnswerOfOne) {
  const Topic topic(2);
  Producer producer(Settings());
  Send(producer, {.topic = topic.name(), .key = "warm up", .value = "v", .token = 1});
  for (const char* key : {"foobar", "a-little-bit-longer-string"}) {
    Headers headers(0);
    const auto produced =
        producer.Produce({.topic = topic.name(), .key = key, .value = "v", .token = 2}, headers);
    if (produced == Produced::kQueued) return SUCCEED();
  }
  FAIL() << "both partitions wait for the answer of one";
}

TEST_F(ProducerTest, ItsEventDescriptorBecomesReadableForADelivery) {
  const Topic topic;
  Producer producer(Settings());
  Send(producer, {.topic = topic.name(), .key = "k", .value = "v", .token = 9});
  // Flush waits on that descriptor only.
  ASSERT_TRUE(producer.Flush(10s, Noting()));
  EXPECT_THAT(fates_, ElementsAre(Pair(9U, 0)));
}

}  // namespace
}  // namespace countersign::kafka
