#pragma once
// When a checkpoint is written, and how; with delivery: transactional also when the transaction of
// Kafka ends, since each ends with the checkpoint that covers it.
#include <chrono>
#include <cstdint>
#include <optional>

#include "libs/kafka/producer.h"
#include "services/outbox-relay/domain/checkpoint.h"
#include "services/outbox-relay/domain/progress.h"
#include "services/outbox-relay/inquirer.h"
#include "services/outbox-relay/kafka_writer.h"
#include "services/outbox-relay/leadership.h"
#include "services/outbox-relay/relay_settings.h"

namespace countersign::relay {

// Not thread safe. Everything but Due throws kafka::Fault if Kafka does not take a checkpoint, what
// waits also TailFault and pg::ReplicationFault. Whoever writes is the leader of a known server.
class Checkpoints {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  // What came since the last checkpoint is read again at the next start.
  static constexpr std::chrono::milliseconds kInterval{500};

  Checkpoints(const RelaySettings& settings, Progress& progress, Leadership& leadership,
              KafkaWriter& writer, Inquirer& inquirer);

  // The newest of this relay's name in Kafka; empty if there is none, or if none is promised.
  [[nodiscard]] std::optional<Checkpoint> ReadNewest();
  // Before anything is done that would make the one before it untrue: Kafka has it afterwards.
  void WriteAhead(const Checkpoint& checkpoint);
  // Of what was read and is in Kafka. Cheap while none is due.
  void WriteIfDue();
  // The same, however short ago the last one was.
  void WriteNow();
  // With delivery: transactional only, and while no transaction of PostgreSQL is open: what was
  // sent becomes visible now, with a checkpoint that says so.
  void Commit(SteadyTime deadline = SteadyTime::max());
  // When WriteIfDue may have something to do, if nothing else happens.
  [[nodiscard]] SteadyTime Due() const;

 private:
  void EndTransactionIfDue();
  void CommitAlone(const Checkpoint& checkpoint);
  void SendInTransaction(const Checkpoint& checkpoint);
  [[nodiscard]] kafka::Produced Send(const Checkpoint& checkpoint, std::uint64_t token);
  void TakeSnapshotIfWanted();

  const RelaySettings& settings_;
  Progress& progress_;
  Leadership& leadership_;
  KafkaWriter& writer_;
  Inquirer& inquirer_;
  SteadyTime tried_{};
};

}  // namespace countersign::relay
