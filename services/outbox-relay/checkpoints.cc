#include "services/outbox-relay/checkpoints.h"

#include <algorithm>
#include <string>
#include <utility>

#include "libs/core/failpoint.h"
#include "services/outbox-relay/checkpoint_log.h"
#include "services/outbox-relay/tail.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// Between two looks at what else must be done.
constexpr milliseconds kStep{200};

std::string DoesNotExist(const std::string& topic) {
  return "topic " + topic + " does not exist (countersignctl topics apply)";
}

}  // namespace

Checkpoints::Checkpoints(const RelaySettings& settings, Progress& progress, Leadership& leadership,
                         KafkaWriter& writer, Inquirer& inquirer)
    : settings_(settings),
      progress_(progress),
      leadership_(leadership),
      writer_(writer),
      inquirer_(inquirer) {}

std::optional<Checkpoint> Checkpoints::ReadNewest() {
  if (settings_.promise == Promise::kAtLeastOnce) return std::nullopt;
  writer_.RequireBroker();
  TailReader reader(settings_.kafka.client, [this] { leadership_.Keep(); });
  auto checkpoint = ReadCheckpoint(reader, settings_.checkpoint_topic, settings_.slot);
  if (checkpoint && checkpoint->atomic && !settings_.Transactional()) {
    // Not any more, as soon as this relay sends something.
    checkpoint->atomic = false;
    WriteAhead(*checkpoint);
  }
  return checkpoint;
}

void Checkpoints::WriteAhead(const Checkpoint& checkpoint) {
  if (settings_.Transactional()) return CommitAlone(checkpoint);
  const auto produced = Send(checkpoint, KafkaWriter::kAwaitedToken);
  if (produced != kafka::Produced::kQueued || !writer_.Flush(kTailLimit)) {
    throw TailFault("kafka does not take the checkpoint that must come first");
  }
}

void Checkpoints::WriteIfDue() {
  if (settings_.Transactional()) return EndTransactionIfDue();
  const auto now = SteadyClock::now();
  if (now - tried_ < kInterval) return;
  TakeSnapshotIfWanted();
  auto due = progress_.DueCheckpoint();
  if (!due) return;
  tried_ = now;
  due->system_id = leadership_.server()->system_id;
  due->timeline = leadership_.server()->timeline;
  // A slot of this name, if there is one, has not what the table source has relayed.
  due->rebuilding = settings_.source == Source::kTable;
  Failpoint("before_checkpoint");
  const auto produced = Send(*due, KafkaWriter::kCheckpointToken);
  if (produced == kafka::Produced::kQueued) {
    progress_.CheckpointQueued();
  } else if (produced == kafka::Produced::kUnknownTopic) {
    throw kafka::Fault(0, DoesNotExist(settings_.checkpoint_topic));
  }
}

void Checkpoints::WriteNow() {
  tried_ = {};
  WriteIfDue();
}

void Checkpoints::EndTransactionIfDue() {
  const auto& transaction = writer_.transaction();
  const auto now = SteadyClock::now();
  if (transaction.Overdue(now)) {
    throw kafka::Fault(0,
                       "a transaction of PostgreSQL does not get into one of Kafka within "
                       "transaction_timeout (" +
                           std::to_string(transaction.limit().count()) + " ms)");
  }
  const auto& acknowledgements = progress_.acknowledgements();
  if (acknowledgements.HasOpen()) return;
  const bool interval = now - tried_ >= kInterval;
  if (interval) {
    tried_ = now;
    TakeSnapshotIfWanted();
  }
  if (transaction.open()) {
    if (transaction.MustEnd(now, acknowledgements.InFlight())) Commit();
    return;
  }
  progress_.TransactionEnded();
  const bool worthwhile = interval && progress_.CheckpointWorthAsking();
  if (worthwhile || transaction.SilentForLong(now)) Commit();
}

void Checkpoints::Commit(SteadyTime deadline) {
  auto checkpoint = progress_.CheckpointOfTransaction();
  checkpoint.system_id = leadership_.server()->system_id;
  checkpoint.timeline = leadership_.server()->timeline;
  Failpoint("before_checkpoint");
  SendInTransaction(checkpoint);
  writer_.CommitTransaction(deadline);
}

void Checkpoints::CommitAlone(const Checkpoint& checkpoint) {
  SendInTransaction(checkpoint);
  writer_.CommitTransaction();
}

void Checkpoints::SendInTransaction(const Checkpoint& checkpoint) {
  auto produced = Send(checkpoint, KafkaWriter::kAwaitedToken);
  while (produced == kafka::Produced::kQueueFull &&
         !writer_.transaction().Overdue(SteadyClock::now())) {
    (void)writer_.Flush(kStep);
    leadership_.Keep();
    produced = Send(checkpoint, KafkaWriter::kAwaitedToken);
  }
  if (produced == kafka::Produced::kQueued) return;
  throw kafka::Fault(0, produced == kafka::Produced::kUnknownTopic
                            ? DoesNotExist(settings_.checkpoint_topic)
                            : "kafka does not take the checkpoint of a transaction");
}

kafka::Produced Checkpoints::Send(const Checkpoint& checkpoint, std::uint64_t token) {
  const std::string json = ToJson(checkpoint);
  kafka::Headers headers(0);
  return writer_.Produce(
      {.topic = settings_.checkpoint_topic, .key = settings_.slot, .value = json, .token = token},
      headers);
}

void Checkpoints::TakeSnapshotIfWanted() {
  if (auto answer = inquirer_.CollectSnapshot()) progress_.SnapshotTaken(std::move(*answer));
  // What is asked here is taken later than the offsets that Progress notes now.
  if (progress_.WantsSnapshot() && inquirer_.TryAskSnapshot()) progress_.SnapshotAsked();
}

Checkpoints::SteadyTime Checkpoints::Due() const {
  auto due = SteadyTime::max();
  if (progress_.CheckpointWorthAsking()) due = tried_ + kInterval;
  if (!progress_.acknowledgements().HasOpen()) due = std::min(due, writer_.transaction().Due());
  return due;
}

}  // namespace countersign::relay
