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

// Between two looks at what else must be done.
constexpr milliseconds kStep{200};
}  // namespace

void Relay::EndKafkaTransactionIfDue() {
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
  const bool interval = now - checkpoint_tried_ >= kCheckpointInterval;
  if (interval) {
    checkpoint_tried_ = now;
    TakeSnapshotIfWanted();
  }
  if (transaction.open()) {
    if (transaction.MustEnd(now, acknowledgements.InFlight())) CommitWithCheckpoint();
    return;
  }
  progress_.TransactionEnded();
  const bool worthwhile = interval && progress_.CheckpointWorthAsking();
  if (worthwhile || transaction.SilentForLong(now)) CommitWithCheckpoint();
}

void Relay::CommitWithCheckpoint(SteadyTime deadline) {
  auto checkpoint = progress_.CheckpointOfTransaction();
  checkpoint.system_id = leadership_.server()->system_id;
  checkpoint.timeline = leadership_.server()->timeline;
  Failpoint("before_checkpoint");
  SendInTransaction(checkpoint);
  writer_.CommitTransaction(deadline);
}

void Relay::CommitAlone(const Checkpoint& checkpoint) {
  SendInTransaction(checkpoint);
  writer_.CommitTransaction();
}

void Relay::SendInTransaction(const Checkpoint& checkpoint) {
  auto produced = Send(checkpoint, KafkaWriter::kAwaitedToken);
  while (produced == kafka::Produced::kQueueFull &&
         !writer_.transaction().Overdue(SteadyClock::now())) {
    (void)writer_.Flush(kStep);
    leadership_.Keep();
    produced = Send(checkpoint, KafkaWriter::kAwaitedToken);
  }
  if (produced == kafka::Produced::kQueued) return;
  throw kafka::Fault(0, produced == kafka::Produced::kUnknownTopic
                            ? "topic " + settings_.checkpoint_topic +
                                  " does not exist (countersignctl topics apply)"
                            : "kafka does not take the checkpoint of a transaction");
}

}  // namespace countersign::relay
