// The network hangs or breaks, the broker is away: nothing is lost, doubled or turned round.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "libs/kafka/consumer.h"
#include "libs/kafka/producer.h"
#include "tests/support/distant_kafka.h"

namespace countersign::kafka {
namespace {

using namespace std::chrono_literals;
using support::Topic;

class AwayTest : public support::KafkaTest {
 protected:
  static void SetUpTestSuite() {
    if (!support::Brokers().empty()) distant_ = std::make_unique<support::DistantKafka>();
  }
  static void TearDownTestSuite() { distant_.reset(); }

  static ProducerSettings Settings() {
    ProducerSettings settings;
    settings.client = distant_->Cluster();
    return settings;
  }
  // Produces the numbers from `first` to `last`, calling `disturb` for each.
  void Send(
      Producer& producer, const Topic& topic, int first, int last,
      const std::function<void(int)>& disturb = [](int) {}) {
    for (int i = first; i <= last; ++i) {
      disturb(i);
      ASSERT_TRUE(support::Eventually([&] {
        producer.Drain(Noting());
        Headers headers(0);
        return producer.Produce({.topic = topic.name(),
                                 .key = "k",
                                 .value = std::to_string(i),
                                 .token = static_cast<std::uint64_t>(i)},
                                headers) == Produced::kQueued;
      }));
    }
  }
  std::function<void(const Delivery&)> Noting() {
    return [this](const Delivery& delivery) {
      EXPECT_TRUE(delivery.ok()) << delivery.Reason();
      EXPECT_TRUE(acknowledged_.insert(delivery.token).second);
    };
  }
  static void ExpectNumbers(const Topic& topic, int first, int last) {
    int next = first;
    for (const auto& record : topic.Read()) EXPECT_EQ(record.value, std::to_string(next++));
    EXPECT_EQ(next, last + 1);
  }

  inline static std::unique_ptr<support::DistantKafka> distant_;
  std::set<std::uint64_t> acknowledged_;
};

// The producer's memory is what the relay's is.
TEST_F(AwayTest, QueuesNoMoreThanItsLimitAndLosesNothingOfIt) {
  const Topic topic(1, {}, distant_->Cluster());
  auto settings = Settings();
  settings.queue_kbytes = 1024;
  Producer producer(settings);
  Send(producer, topic, 0, 0);
  ASSERT_TRUE(producer.Flush(10s, Noting()));
  distant_->network().Hang(true);
  const std::string value(1000, 'x');
  std::uint64_t queued = 0;
  Produced produced = Produced::kQueued;
  while (produced == Produced::kQueued && queued < 10'000) {
    Headers headers(0);
    produced = producer.Produce(
        {.topic = topic.name(), .key = "k", .value = value, .token = queued + 1}, headers);
    queued += produced == Produced::kQueued ? 1 : 0;
  }
  EXPECT_EQ(produced, Produced::kQueueFull);
  EXPECT_LE(queued, 1100U);
  EXPECT_GE(queued, 900U);
  // Longer than a request may take: records must be sent again, not given up.
  EXPECT_FALSE(producer.Flush(settings.request_timeout + 1s, Noting()));
  EXPECT_EQ(acknowledged_.size(), 1U) << "acknowledged by nobody";
  distant_->network().Hang(false);
  EXPECT_TRUE(producer.Flush(20s, Noting()));
  EXPECT_EQ(acknowledged_.size(), queued + 1);
  EXPECT_EQ(topic.Read().size(), queued + 1) << "some were doubled or lost";
}

TEST_F(AwayTest, AnAnswerLostAfterTheAppendDoublesNothingAndBreaksNoOrder) {
  const Topic topic(1, {}, distant_->Cluster());
  auto settings = Settings();
  settings.client.properties = {{"batch.num.messages", "20"}};
  Producer producer(settings);
  int losses = 0;
  Send(producer, topic, 1, 4000, [&](int i) {
    if (i % 400 != 0) return;
    distant_->network().LoseNextAnswer();
    ++losses;
  });
  ASSERT_TRUE(producer.Flush(20s, Noting()));
  EXPECT_GE(losses, 10);
  ExpectNumbers(topic, 1, 4000);
}

TEST_F(AwayTest, BrokenConnectionsDoubleNothingAndBreakNoOrder) {
  const Topic topic(1, {}, distant_->Cluster());
  auto settings = Settings();
  settings.client.properties = {{"batch.num.messages", "20"}};
  Producer producer(settings);
  Send(producer, topic, 1, 4000, [&](int i) {
    if (i % 400 == 0) distant_->network().Cut();
  });
  ASSERT_TRUE(producer.Flush(20s, Noting()));
  ExpectNumbers(topic, 1, 4000);
}

TEST_F(AwayTest, EndsAtOnceWithRecordsThatNobodyAcknowledges) {
  const Topic topic(1, {}, distant_->Cluster());
  std::chrono::steady_clock::time_point began;
  {
    Producer producer(Settings());
    Send(producer, topic, 1, 1);
    ASSERT_TRUE(producer.Flush(10s, Noting()));
    distant_->network().Hang(true);
    Send(producer, topic, 2, 100);
    began = std::chrono::steady_clock::now();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, 3s);
  distant_->network().Hang(false);
}

TEST_F(AwayTest, ProducerAndConsumerOutliveABrokerThatIsAwayForAWhile) {
  const Topic topic(1, {}, distant_->Cluster());
  Producer producer(Settings());
  ConsumerSettings reading;
  reading.client = distant_->Cluster();
  Consumer consumer(reading);
  consumer.Assign({{{topic.name(), 0}, kFirst}});
  std::vector<std::string> read;
  const auto read_until = [&](const std::string& last) {
    return support::Eventually([&] {
      while (const auto message = consumer.Poll(20ms)) read.emplace_back(message->value());
      return !read.empty() && read.back() == last;
    });
  };
  Send(producer, topic, 1, 500);
  ASSERT_TRUE(producer.Flush(10s, Noting()));
  EXPECT_TRUE(read_until("500"));
  Send(producer, topic, 501, 800);
  distant_->network().Refuse(true);
  Send(producer, topic, 801, 1000);
  EXPECT_FALSE(producer.Flush(1s, Noting()));
  distant_->network().Refuse(false);
  ASSERT_TRUE(producer.Flush(30s, Noting()));
  EXPECT_TRUE(read_until("1000"));
  ExpectNumbers(topic, 1, 1000);
}

}  // namespace
}  // namespace countersign::kafka
