#pragma once
// Everything the relay writes goes through here: one producer after the other, what becomes of each
// record, and with delivery: transactional the transaction they are in. Events and the checkpoint
// that covers them become visible together then, and a relay that was taken for dead can make
// nothing visible any more.
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>

#include "libs/kafka/producer.h"
#include "libs/log/logger.h"
#include "services/outbox-relay/domain/kafka_transaction.h"
#include "services/outbox-relay/domain/progress.h"
#include "services/outbox-relay/domain/refusals.h"
#include "services/outbox-relay/leadership.h"
#include "services/outbox-relay/observer.h"
#include "services/outbox-relay/relay_settings.h"
#include "services/outbox-relay/waiter.h"

namespace countersign::relay {

// Not thread safe. What Kafka acknowledges is told to Progress, what it refuses to Refusals. What
// throws kafka::Fault leaves a producer that must be dropped: everything that is not acknowledged
// comes again.
class KafkaWriter {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  // What the record of a checkpoint is known by; no transaction is. The second: whoever sent it
  // waits for it.
  static constexpr std::uint64_t kCheckpointToken = UINT64_MAX;
  static constexpr std::uint64_t kAwaitedToken = UINT64_MAX - 1;

  KafkaWriter(const RelaySettings& settings, Waiter& waiter, Progress& progress,
              Leadership& leadership, Refusals& refusals, const log::Logger& logger,
              Observer& observer);
  KafkaWriter(const KafkaWriter&) = delete;
  KafkaWriter& operator=(const KafkaWriter&) = delete;

  // Tries the cluster once. That it is away is no fault. Throws kafka::SettingsFault or a
  // kafka::Fault that IsAuthentication.
  void CheckCredentials();

  // A producer, if there is none; waits for nobody.
  void Open();
  // What it has not handed over is lost, and Progress begins where everything is confirmed.
  void Drop();
  [[nodiscard]] bool IsOpen() const { return producer_ != nullptr; }
  // Whoever asks a cluster that is away is kept waiting: so this comes first. Throws TailFault.
  void RequireBroker();

  // A record of an event or, with a token of the above, of a checkpoint. Begins the transaction it
  // needs.
  [[nodiscard]] kafka::Produced Produce(const kafka::Record& record, kafka::Headers& headers);
  // What Kafka said since. Throws kafka::Fault if it refused something.
  void Drain();
  // Drains until nothing is on its way or the time is over; true if nothing is.
  [[nodiscard]] bool Flush(std::chrono::milliseconds limit);
  // A client dies before it tells which event it died of: waits for that.
  void NameTheRefused();

  // With another promise never open.
  [[nodiscard]] const KafkaTransaction& transaction() const { return transaction_; }
  // A transaction of PostgreSQL was read, up to there.
  void TransactionRead(Lsn end) { transaction_.Read(end); }
  // As in KafkaTransaction.
  void SeparateWhatWasRead() { transaction_.SeparateWhatWasRead(); }
  // Only with the lock: a relay that stands by must not shut out the one that leads. False if it
  // was stopped. Throws TailFault after half a minute.
  [[nodiscard]] bool FenceOthers(const std::stop_token& stop);
  // Waits until Kafka has everything that is in it, until `deadline` or the transaction's own.
  void CommitTransaction(SteadyTime deadline = SteadyTime::max());
  // For rows of a table, which are no transaction.
  void EndRowsIfDue();
  // Also the producer: what state it is in cannot be told.
  void GiveUpTransaction();

 private:
  void OnDelivery(const kafka::Delivery& delivery);
  void SuspectRefused(const kafka::Delivery& delivery);
  void LogRelayed(const kafka::Delivery& delivery);
  void LogRefusal(const kafka::Delivery& delivery);
  void BeginTransactionIfNone();
  void AwaitTransaction(SteadyTime deadline);

  const RelaySettings& settings_;
  Waiter& waiter_;
  Progress& progress_;
  Leadership& leadership_;
  Refusals& refusals_;
  const log::Logger& logger_;
  Observer& observer_;

  kafka::ProducerSettings producer_settings_;
  std::unique_ptr<kafka::Producer> producer_;
  std::optional<kafka::Fault> refused_;  // what the cluster said about our credentials
  KafkaTransaction transaction_;
};

}  // namespace countersign::relay
