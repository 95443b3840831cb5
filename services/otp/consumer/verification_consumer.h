#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "libs/core/clock.h"
#include "libs/core/random.h"
#include "libs/kafka/consumer.h"
#include "libs/keystore/key_ring.h"
#include "libs/log/logger.h"
#include "services/otp/consumer/dead_letters.h"
#include "services/otp/domain/unfinished_offsets.h"
#include "services/otp/flows/deliver_code.h"
#include "services/otp/observer.h"

namespace countersign::otp {

struct VerificationConsumerSettings {
  kafka::ConsumerSettings kafka;
  kafka::ProducerSettings dead_letters;
  std::string topic = "verification";  // what cannot be read goes to `<topic>.dlt`
  // Records taken from the topic and not finished; beyond, no more are taken.
  std::size_t max_unfinished = 1024;
};

// Reads the commands to send codes. A record is finished when its intent is over or it is a dead
// letter; a partition's offset moves only below its lowest unfinished record, so what a crash cut
// short is read again, and the intent says how far it was.
class VerificationConsumer {
 public:
  struct Parts {
    DeliverCodeFlow& flow;
    keystore::SealingRing& recipient_keys;
    Random& random;
    const Clock& clock;
    Observer& observer;
    const log::Logger& logger;
  };
  VerificationConsumer(VerificationConsumerSettings settings, Parts parts);
  // As Leave(). The flow must be stopped or gone before, since it may still finish records.
  ~VerificationConsumer();
  VerificationConsumer(const VerificationConsumer&) = delete;
  VerificationConsumer& operator=(const VerificationConsumer&) = delete;

  // Polls until it is told to stop; the group is not left then. Kafka's refusals are logged and
  // tried again. Throws kafka::SettingsFault.
  void Run(const std::stop_token& stop);
  // Commits what is finished and leaves the group. After Run.
  void Leave();

 private:
  struct Partition {
    UnfinishedOffsets offsets;
    // Shared with the intents of its records, which may outlive the assignment.
    std::shared_ptr<std::atomic<bool>> given_away = std::make_shared<std::atomic<bool>>(false);
  };
  using Assignment = std::shared_ptr<const std::atomic<bool>>;
  struct Place {
    kafka::TopicPartition partition;
    std::int64_t offset = 0;
    Assignment assignment;  // the one the record was read under
  };

  void Session(const std::stop_token& stop);
  void Connect();
  void Accept(const kafka::Message& message);
  void PutAside(const kafka::Message& message, std::string why, Place place);
  [[nodiscard]] Place Begin(const kafka::Message& message);
  void Finish(const Place& place);
  [[nodiscard]] bool WaitForRoom(const std::stop_token& stop);
  void SetPaused(bool paused);
  void OnAssigned(std::span<const kafka::TopicPartition> partitions);
  void OnRevoked(std::span<const kafka::TopicPartition> partitions);
  void Forget(const Partition& partition);
  void GiveAllAway();
  void ObserveBacklog();

  const VerificationConsumerSettings settings_;
  const Parts parts_;
  DeadLetters dead_letters_;

  std::mutex mutex_;
  std::condition_variable_any finished_;
  // Guarded by mutex_, the consumer's Store too.
  std::map<kafka::TopicPartition, Partition> partitions_;
  std::size_t unfinished_ = 0;
  std::unique_ptr<kafka::Consumer> consumer_;

  // Of the polling thread.
  std::optional<bool> paused_;  // empty: some are and some are not
  std::chrono::steady_clock::time_point next_observation_{};
};

}  // namespace countersign::otp
