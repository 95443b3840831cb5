#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libs/kafka/consumer.h"
#include "libs/kafka/producer.h"
#include "libs/log/logger.h"
#include "services/otp/observer.h"

namespace countersign::otp {

// A record that cannot be processed: its bytes as they came, where from, and why.
struct DeadLetter {
  std::string topic;
  int partition = 0;
  std::int64_t offset = 0;
  std::optional<std::string> key;
  std::string value;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string why;
};
[[nodiscard]] DeadLetter ToDeadLetter(const kafka::Message& message, std::string why);

// Writes dead letters to their topic, each until Kafka has it: with all headers of the record and
// dlt_why, dlt_topic, dlt_partition and dlt_offset. Add is thread safe; one thread calls Work.
class DeadLetters {
 public:
  DeadLetters(kafka::ProducerSettings settings, std::string topic, Observer& observer,
              const log::Logger& logger);
  ~DeadLetters();

  // `written` runs on Work's thread.
  void Add(DeadLetter letter, std::function<void()> written);
  // Sends what was added and hears what was acknowledged. Blocks for no longer than
  // Producer::kTopicLookup, and only if there is something to send.
  void Work();

 private:
  struct Pending {
    DeadLetter letter;
    std::function<void()> written;
  };
  void Send();
  [[nodiscard]] kafka::Produced Produce(Pending& pending);
  void Heard(const kafka::Delivery& delivery);
  void Later(const std::string& why);
  void Requeue();

  const kafka::ProducerSettings settings_;
  const std::string topic_;
  Observer& observer_;
  const log::Logger& logger_;

  std::mutex mutex_;
  std::deque<Pending> added_;  // guarded by mutex_

  // Of Work's thread. The producer is made for the first letter: most processes never have one.
  std::unique_ptr<kafka::Producer> producer_;
  std::map<std::uint64_t, Pending> on_their_way_;
  std::uint64_t next_token_ = 1;
  std::chrono::steady_clock::time_point not_before_{};
};

}  // namespace countersign::otp
