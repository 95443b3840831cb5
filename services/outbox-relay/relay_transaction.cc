// Transactions of Kafka: events and the checkpoint that covers them become visible together, and a
// relay that was taken for dead can make nothing visible any more.
#include <string>
#include <utility>

#include "libs/core/failpoint.h"
#include "services/outbox-relay/checkpoint_log.h"
#include "services/outbox-relay/relay.h"
#include "services/outbox-relay/tail.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kReach{500};
// Between two looks at what else must be done.
constexpr milliseconds kStep{200};
// The transaction that an earlier relay left must be ended first.
constexpr std::chrono::seconds kFenceLimit{30};
constexpr std::chrono::seconds kFenceStep{2};
constexpr milliseconds kAbortLimit{1'000};

}  // namespace

// Only with the lock: a relay that stands by must not shut out the one that leads.
bool Relay::FenceOthers(const std::stop_token& stop) {
  if (!producer_->Reach(kReach)) throw TailFault("no kafka broker answers");
  const auto limit = SteadyClock::now() + kFenceLimit;
  while (!producer_->TryFenceOthers(kFenceStep)) {
    if (stop.stop_requested()) return false;
    if (SteadyClock::now() > limit) throw TailFault("kafka does not let this relay write");
  }
  transaction_.Fenced(SteadyClock::now());
  return true;
}

void Relay::BeginKafkaTransaction() {
  producer_->BeginTransaction();
  transaction_.Begin(SteadyClock::now());
  Failpoint("after_begin");
}

void Relay::EndKafkaTransactionIfDue() {
  const auto now = SteadyClock::now();
  if (transaction_.Overdue(now)) {
    throw kafka::Fault(0,
                       "a transaction of PostgreSQL does not get into one of Kafka within "
                       "transaction_timeout (" +
                           std::to_string(transaction_.limit().count()) + " ms)");
  }
  const auto& acknowledgements = progress_.acknowledgements();
  if (acknowledgements.HasOpen()) return;
  const bool interval = now - checkpoint_tried_ >= kCheckpointInterval;
  if (interval) {
    checkpoint_tried_ = now;
    TakeSnapshotIfWanted();
  }
  if (transaction_.open()) {
    if (transaction_.MustEnd(now, acknowledgements.InFlight())) CommitWithCheckpoint();
    return;
  }
  progress_.TransactionEnded();
  const bool worthwhile = interval && progress_.CheckpointWorthAsking();
  if (worthwhile || transaction_.SilentForLong(now)) CommitWithCheckpoint();
}

void Relay::EndRowsIfDue() {
  if (transaction_.RowsMustEnd(SteadyClock::now())) CommitKafkaTransaction();
}

void Relay::CommitWithCheckpoint(SteadyTime deadline) {
  auto checkpoint = progress_.CheckpointOfTransaction();
  checkpoint.system_id = server_->system_id;
  checkpoint.timeline = server_->timeline;
  Failpoint("before_checkpoint");
  SendInTransaction(checkpoint);
  CommitKafkaTransaction(deadline);
}

void Relay::CommitAlone(const Checkpoint& checkpoint) {
  SendInTransaction(checkpoint);
  CommitKafkaTransaction();
}

void Relay::SendInTransaction(const Checkpoint& checkpoint) {
  if (!transaction_.open()) BeginKafkaTransaction();
  const auto on_delivery = [this](const kafka::Delivery& delivery) { OnDelivery(delivery); };
  auto produced = Send(checkpoint, kAwaitedToken);
  while (produced == kafka::Produced::kQueueFull && !transaction_.Overdue(SteadyClock::now())) {
    (void)producer_->Flush(kStep, on_delivery);
    KeepSession();
    produced = Send(checkpoint, kAwaitedToken);
  }
  if (produced == kafka::Produced::kQueued) return;
  throw kafka::Fault(0, produced == kafka::Produced::kUnknownTopic
                            ? "topic " + settings_.checkpoint_topic +
                                  " does not exist (countersignctl topics apply)"
                            : "kafka does not take the checkpoint of a transaction");
}

void Relay::CommitKafkaTransaction(SteadyTime deadline) {
  AwaitTransaction(deadline);
  Failpoint("before_commit");
  // This thread gives no sign of life meanwhile.
  producer_->Commit(settings_.takeover_after / 2);
  Failpoint("after_commit");
  progress_.TransactionEnded();
  for (const auto& made_visible : transaction_.Committed(SteadyClock::now())) {
    observer_.Acknowledged(made_visible.topic, made_visible.committed, made_visible.bytes,
                           made_visible.events);
  }
  observer_.KafkaTransaction(true);
}

// Until Kafka has everything that is in it.
void Relay::AwaitTransaction(SteadyTime deadline) {
  const auto on_delivery = [this](const kafka::Delivery& delivery) { OnDelivery(delivery); };
  while (!producer_->Flush(kStep, on_delivery)) {
    KeepSession();
    observer_.Progress(progress_.acknowledgements(), seen_);
    const auto now = SteadyClock::now();
    if (now > deadline || transaction_.Overdue(now)) {
      throw kafka::Fault(0, "kafka does not take all of a transaction in time");
    }
  }
}

// The next one is made by a new producer: what state this one is in cannot be told.
void Relay::GiveUpKafkaTransaction() {
  if (!Transactional() || !producer_) return;
  if (transaction_.open()) {
    producer_->Abort(kAbortLimit);
    observer_.KafkaTransaction(false);
  }
  transaction_.Lost();
  DropProducer();
}

}  // namespace countersign::relay
