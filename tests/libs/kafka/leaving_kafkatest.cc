#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "libs/kafka/consumer.h"
#include "libs/kafka/producer.h"
#include "tests/support/kafka.h"

namespace countersign::kafka {
namespace {

using namespace std::chrono_literals;
using support::Topic;

class LeavingTest : public support::KafkaTest {};

// Produces without pause, so that records are always on their way to a consumer.
class Stream {
 public:
  explicit Stream(const Topic& topic)
      : thread_([&topic](const std::stop_token& stop) {
          ProducerSettings settings;
          settings.client = support::Cluster();
          Producer producer(settings);
          const std::string value(200, 'x');
          for (std::uint64_t token = 0; !stop.stop_requested(); ++token) {
            Headers headers;
            (void)producer.Produce(
                {.topic = topic.name(), .key = std::to_string(token), .value = value}, headers);
            producer.Drain([](const Delivery&) {});
            std::this_thread::sleep_for(20us);
          }
          (void)producer.Flush(10s, [](const Delivery&) {});
        }) {}

 private:
  std::jthread thread_;
};

TEST_F(LeavingTest, RecordsThatArriveWhileAMemberLeavesAreDroppedAndTheNextOneGetsThem) {
  const Topic topic(6);
  const Stream stream(topic);
  ConsumerSettings settings;
  settings.client = support::Cluster();
  settings.group = support::TopicName();
  settings.session_timeout = 6s;
  for (int life = 0; life < 15; ++life) {
    Consumer consumer(settings);
    consumer.Subscribe({topic.name()});
    EXPECT_TRUE(support::Eventually([&] { return consumer.Poll(50ms).has_value(); }));
  }
}

}  // namespace
}  // namespace countersign::kafka
