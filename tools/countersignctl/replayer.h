#pragma once
// Rows of an outbox table, produced to Kafka once more.
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

#include "libs/kafka/producer.h"
#include "services/outbox-relay/domain/outbox_row.h"

namespace countersign::ctl {

// The relay's deduplication does not count records with this header.
inline constexpr std::string_view kReplayHeader = "replay";

// Kafka refused a record: that of the event that what() names, or another one of its batch.
class Refusal final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Replayer {
 public:
  // False: give up.
  using OnWait = std::function<bool()>;

  // `to_topic`: empty for each row's own. `on_wait` is called at least every 100 ms of a wait.
  Replayer(const kafka::ClientSettings& cluster, std::string source, std::string to_topic,
           OnWait on_wait);

  // Rows in the order of their ids. Waits while the producer's queue is full; false if it was given
  // up. Throws Failure, naming the event, for one that cannot be produced; Refusal; kafka::Fault if
  // no broker answers.
  [[nodiscard]] bool Produce(const relay::OutboxRow& row, std::int64_t id);
  // Waits until Kafka has everything that was produced; false if it has not within the limit.
  [[nodiscard]] bool Finish(std::chrono::milliseconds limit);

  // After a Refusal: rows are to come again from behind done_until(). Those that Kafka has are left
  // out, the others go one by one, so that another Refusal names the right one.
  void BeginAnew();
  // A Refusal names the event that was refused.
  [[nodiscard]] bool OneByOne() const { return !again_.empty(); }

  [[nodiscard]] std::int64_t acknowledged() const { return acknowledged_; }
  // Kafka has every row up to this id.
  [[nodiscard]] std::int64_t done_until() const;

 private:
  [[nodiscard]] kafka::Produced TryProduce(const relay::OutboxRow& row, std::int64_t id);
  [[nodiscard]] bool AwaitOne(std::int64_t id);
  void Drain();
  void OnDelivery(const kafka::Delivery& delivery);
  [[noreturn]] void Throw(const kafka::FatalFault& fault);

  kafka::ClientSettings cluster_;
  std::string source_;
  std::string to_topic_;
  OnWait on_wait_;
  std::unique_ptr<kafka::Producer> producer_;
  relay::HeaderBuilder headers_;
  std::set<std::int64_t> in_flight_;
  std::set<std::int64_t> again_;  // were in flight when Kafka refused one of them
  std::int64_t last_ = -1;
  std::int64_t acknowledged_ = 0;
};

}  // namespace countersign::ctl
