#include "libs/kafka/consumer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "libs/kafka/producer.h"
#include "tests/support/kafka.h"

namespace countersign::kafka {
namespace {

using namespace std::chrono_literals;
using support::Topic;
using testing::ElementsAre;

class ConsumerTest : public support::KafkaTest {
 protected:
  [[nodiscard]] ConsumerSettings Settings() const {
    ConsumerSettings settings;
    settings.client = support::Cluster();
    settings.group = group_;
    settings.session_timeout = 6s;  // the shortest a broker takes
    return settings;
  }
  // Records "first", "first + 1" …, all of one key or each of its own.
  static void Fill(const Topic& topic, int first, int count, bool one_key = true) {
    ProducerSettings settings;
    settings.client = support::Cluster();
    Producer producer(settings);
    for (int i = first; i < first + count; ++i) {
      const std::string number = std::to_string(i);
      Headers headers;
      headers.Add("n", "old");
      headers.Add("n", number);
      ASSERT_TRUE(support::Eventually([&] {
        producer.Drain([](const Delivery&) {});
        return producer.Produce(
                   {.topic = topic.name(), .key = one_key ? "k" : number, .value = number},
                   headers) == Produced::kQueued;
      }));
    }
    ASSERT_TRUE(producer.Flush(10s, [](const Delivery&) {}));
  }
  static std::optional<Message> Next(Consumer& consumer, std::chrono::milliseconds limit = 15s) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (std::chrono::steady_clock::now() < end) {
      if (auto message = consumer.Poll(50ms)) return message;
    }
    return std::nullopt;
  }
  static std::vector<std::string> Values(Consumer& consumer, std::size_t count) {
    std::vector<std::string> values;
    while (values.size() < count) {
      const auto message = Next(consumer);
      if (!message) break;
      values.emplace_back(message->value());
    }
    return values;
  }

  const std::string group_ = support::TopicName();
};

TEST_F(ConsumerTest, BeginsAgainWhereNothingWasStoredByHand) {
  const Topic topic;
  Fill(topic, 0, 5);
  for (int life = 0; life < 2; ++life) {
    Consumer consumer(Settings());
    consumer.Subscribe({topic.name()});
    EXPECT_THAT(Values(consumer, 5), ElementsAre("0", "1", "2", "3", "4"));
  }
}

TEST_F(ConsumerTest, GoesOnBehindWhatWasStoredNotBehindWhatWasRead) {
  const Topic topic;
  Fill(topic, 0, 5);
  {
    Consumer consumer(Settings());
    consumer.Subscribe({topic.name()});
    EXPECT_THAT(Values(consumer, 5), testing::SizeIs(5));
    EXPECT_TRUE(consumer.Store({topic.name(), 0}, 3));
  }
  Consumer consumer(Settings());
  consumer.Subscribe({topic.name()});
  EXPECT_THAT(Values(consumer, 2), ElementsAre("3", "4"));
}

TEST_F(ConsumerTest, CommitsAtOnceWhenAskedTo) {
  const Topic topic;
  Fill(topic, 0, 3);
  Consumer consumer(Settings());
  consumer.Subscribe({topic.name()});
  EXPECT_THAT(Values(consumer, 3), testing::SizeIs(3));
  EXPECT_FALSE(consumer.Commit()) << "nothing was stored";
  ASSERT_TRUE(consumer.Store({topic.name(), 0}, 2));
  EXPECT_TRUE(consumer.Commit());
}

TEST_F(ConsumerTest, StoringForAPartitionThatIsNotOursIsRefused) {
  const Topic topic;
  const Topic other;
  Fill(topic, 0, 1);
  Consumer consumer(Settings());
  consumer.Subscribe({topic.name()});
  EXPECT_THAT(Values(consumer, 1), testing::SizeIs(1));
  EXPECT_FALSE(consumer.Store({other.name(), 0}, 1));
}

TEST_F(ConsumerTest, GivesTheRecordWithTimeAndHeaders) {
  const Topic topic(1, {{"message.timestamp.type", "LogAppendTime"}});
  const auto before = SystemClock().Now() - 2s;
  Fill(topic, 7, 1);
  Consumer consumer(Settings());
  consumer.Subscribe({topic.name()});
  const auto message = Next(consumer);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->topic(), topic.name());
  EXPECT_EQ(message->key(), "k");
  EXPECT_EQ(message->offset(), 0);
  EXPECT_EQ(message->Header("n"), "7");
  EXPECT_EQ(message->Header("absent"), std::nullopt);
  EXPECT_EQ(message->Headers().size(), 2U);
  EXPECT_GT(message->time(), before);
}

TEST_F(ConsumerTest, GivesNothingOfPausedPartitionsUntilTheyAreResumed) {
  const Topic topic;
  Fill(topic, 0, 1);
  Consumer consumer(Settings());
  consumer.Subscribe({topic.name()});
  EXPECT_THAT(Values(consumer, 1), ElementsAre("0"));
  const TopicPartition partition{topic.name(), 0};
  consumer.Pause({&partition, 1});
  Fill(topic, 1, 2);
  EXPECT_FALSE(Next(consumer, 700ms));
  consumer.Resume({&partition, 1});
  EXPECT_THAT(Values(consumer, 2), ElementsAre("1", "2"));
}

TEST_F(ConsumerTest, AJoiningMemberTakesPartitionsOverWithoutLossAndBehindWhatWasStored) {
  constexpr int kPartitions = 4;
  constexpr int kRecords = 400;
  const Topic topic(kPartitions);
  Fill(topic, 0, kRecords / 2, false);
  std::multiset<std::string> finished;
  std::size_t revoked = 0;
  const auto work = [&](Consumer& consumer) {
    while (const auto message = consumer.Poll(20ms)) {
      finished.emplace(message->value());
      consumer.Store({std::string(message->topic()), message->partition()}, message->offset() + 1);
    }
  };
  Consumer first(Settings(), {.on_assigned = {}, .on_revoked = [&](auto partitions, bool lost) {
                                EXPECT_FALSE(lost);
                                revoked += partitions.size();
                              }});
  first.Subscribe({topic.name()});
  ASSERT_TRUE(support::Eventually([&] {
    work(first);
    return finished.size() >= kRecords / 4;
  }));
  Consumer second(Settings());
  second.Subscribe({topic.name()});
  ASSERT_TRUE(support::Eventually([&] {
    work(first);
    work(second);
    return second.Assignment().size() == kPartitions / 2;
  }));
  EXPECT_EQ(first.Assignment().size(), std::size_t{kPartitions / 2});
  EXPECT_EQ(revoked, std::size_t{kPartitions / 2});
  Fill(topic, kRecords / 2, kRecords / 2, false);
  ASSERT_TRUE(support::Eventually([&] {
    work(first);
    work(second);
    return finished.size() >= kRecords;
  }));
  // Every record was stored before it could be given away, so none came twice.
  EXPECT_EQ(finished.size(), std::size_t{kRecords});
  for (int i = 0; i < kRecords; ++i) EXPECT_EQ(finished.count(std::to_string(i)), 1U) << i;
}

TEST_F(ConsumerTest, WhatTheListenerStoresOnRevokeIsCommitted) {
  const Topic topic;
  Fill(topic, 0, 5);
  {
    Consumer* self = nullptr;
    Consumer consumer(Settings(), {.on_assigned = {}, .on_revoked = [&](auto partitions, bool) {
                                     for (const auto& one : partitions) self->Store(one, 4);
                                   }});
    self = &consumer;
    consumer.Subscribe({topic.name()});
    EXPECT_THAT(Values(consumer, 5), testing::SizeIs(5));
  }
  Consumer consumer(Settings());
  consumer.Subscribe({topic.name()});
  EXPECT_THAT(Values(consumer, 1), ElementsAre("4"));
}

TEST_F(ConsumerTest, WhatAListenerThrowsPollThrows) {
  const Topic topic;
  Consumer consumer(Settings(), {.on_assigned = [](auto) { throw std::runtime_error("mine"); },
                                 .on_revoked = {}});
  consumer.Subscribe({topic.name()});
  EXPECT_THROW(static_cast<void>(Next(consumer)), std::runtime_error);
}

TEST_F(ConsumerTest, ATopicMayComeIntoBeingAfterItsSubscription) {
  const std::string name = support::TopicName();
  auto settings = Settings();
  settings.client.properties = {{"topic.metadata.refresh.interval.ms", "200"}};
  Consumer consumer(settings);
  consumer.Subscribe({name});
  EXPECT_FALSE(Next(consumer, 300ms));
  support::Create(name, 1);
  EXPECT_TRUE(support::Eventually([&] {
    static_cast<void>(consumer.Poll(20ms));
    return consumer.Assignment().size() == 1;
  }));
  support::Delete(name);
}

TEST_F(ConsumerTest, WithoutACommittedOffsetItBeginsWhereItWasTold) {
  const Topic topic;
  Fill(topic, 0, 3);
  auto settings = Settings();
  settings.reset = From::kEnd;
  Consumer consumer(settings);
  consumer.Subscribe({topic.name()});
  ASSERT_TRUE(support::Eventually([&] {
    static_cast<void>(consumer.Poll(20ms));
    return consumer.Assignment().size() == 1;
  }));
  EXPECT_FALSE(Next(consumer, 500ms));
  Fill(topic, 3, 1);
  EXPECT_THAT(Values(consumer, 1), ElementsAre("3"));
}

TEST_F(ConsumerTest, AnOffsetThatIsGoneNeedsADecision) {
  const Topic topic;
  Fill(topic, 0, 3);
  auto settings = Settings();
  settings.group = "";
  settings.reset = From::kError;
  Consumer consumer(settings);
  consumer.Assign({{{topic.name(), 0}, 1000}});
  EXPECT_THROW(static_cast<void>(Next(consumer)), Fault);
}

TEST_F(ConsumerTest, AssignReadsFromAnOffsetAndTellsTheEnd) {
  const Topic topic;
  Fill(topic, 0, 3);
  ConsumerSettings settings;
  settings.client = support::Cluster();
  settings.partition_end = true;
  Consumer consumer(settings);
  consumer.Assign({{{topic.name(), 0}, 1}});
  EXPECT_EQ(Next(consumer)->value(), "1");
  EXPECT_EQ(Next(consumer)->value(), "2");
  EXPECT_TRUE(Next(consumer)->at_end());
  const auto marks = consumer.QueryWatermarks({topic.name(), 0}, 5s);
  EXPECT_EQ(marks.low, 0);
  EXPECT_EQ(marks.high, 3);
}

TEST_F(ConsumerTest, EndsWithinSecondsWithoutABroker) {
  auto settings = Settings();
  settings.client.brokers = "127.0.0.1:1";
  const auto began = std::chrono::steady_clock::now();
  {
    Consumer consumer(settings);
    consumer.Subscribe({"t"});
    EXPECT_FALSE(Next(consumer, 100ms));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, 8s);
}

TEST_F(ConsumerTest, FindsWhereATimeBeginsInEachPartition) {
  const Topic topic(3);
  Fill(topic, 0, 4);
  const Consumer consumer(Settings());
  const auto partition = static_cast<std::size_t>(topic.Read().at(0).partition);
  // A record's time is in milliseconds.
  const auto written = SystemClock().Now();
  ASSERT_TRUE(support::Eventually([&] { return SystemClock().Now() > written + 2ms; }));
  const auto between = SystemClock().Now();
  Fill(topic, 4, 4);
  const auto at = [&](Instant time) { return consumer.OffsetsAt(topic.name(), 3, time, 10s); };
  EXPECT_EQ(at(Instant::min())[partition], 0);
  EXPECT_EQ(at(SystemClock().Now() + 1h)[partition], 8) << "the end";
  EXPECT_EQ(at(Instant::min())[(partition + 1) % 3], 0) << "an empty partition";
  EXPECT_EQ(at(between)[partition], 4);
}

}  // namespace
}  // namespace countersign::kafka
