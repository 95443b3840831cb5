#pragma once
// A real Kafka for tests: COUNTERSIGN_TEST_KAFKA names its brokers. Each test has topics of its
// own.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "libs/kafka/admin.h"
#include "libs/kafka/settings.h"

namespace countersign::support {

// A record as it lies in a topic.
struct Record {
  std::string topic;
  int partition = -1;
  std::int64_t offset = -1;
  std::string key;
  std::string value;
  std::vector<std::pair<std::string, std::string>> headers;

  // The last header of that name, empty if absent.
  [[nodiscard]] std::string Header(const std::string& name) const;
};

// Empty if it is not set.
[[nodiscard]] std::string Brokers();
[[nodiscard]] kafka::ClientSettings Cluster();
[[nodiscard]] kafka::ClientSettings ClusterAt(const std::string& brokers);

// A topic that is made by the constructor and deleted by the destructor.
class Topic {
 public:
  explicit Topic(int partitions = 1, const kafka::TopicConfig& config = {},
                 kafka::ClientSettings cluster = Cluster());
  ~Topic();
  Topic(const Topic&) = delete;
  Topic& operator=(const Topic&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  // Everything from the beginning to what is the end now, by partition and offset.
  [[nodiscard]] std::vector<Record> Read() const;
  [[nodiscard]] std::vector<std::string> Values() const;
  // Reads until there are so many records; fails the test after 30 s.
  [[nodiscard]] std::vector<Record> AwaitRecords(std::size_t count) const;

 private:
  // `enough` is asked with the number of records read and of partitions read to their end.
  [[nodiscard]] std::vector<Record> ReadUntil(
      const std::function<bool(std::size_t count, int ended)>& enough) const;

  std::string name_;
  int partitions_;
  kafka::ClientSettings cluster_;
};

// A name no other topic has.
[[nodiscard]] std::string TopicName();
void Create(const std::string& topic, int partitions, const kafka::TopicConfig& config = {},
            const kafka::ClientSettings& cluster = Cluster());
void Delete(const std::string& topic, const kafka::ClientSettings& cluster = Cluster());

// Polls until `condition` holds; false when the time is over.
template <typename Condition>
[[nodiscard]] bool Eventually(Condition condition,
                              std::chrono::milliseconds limit = std::chrono::seconds(20));
void PollPause();

// Tests that need a Kafka. Without COUNTERSIGN_TEST_KAFKA they are skipped, or fail if CI=true.
class KafkaTest : public ::testing::Test {
 protected:
  void SetUp() override;
};

template <typename Condition>
bool Eventually(Condition condition, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    PollPause();
  }
  return true;
}

}  // namespace countersign::support
