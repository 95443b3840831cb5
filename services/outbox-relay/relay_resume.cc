// Where the relay begins: what the database, the slot and Kafka say about it, and what it writes
// down for the next one.
#include <algorithm>
#include <utility>

#include "libs/core/failpoint.h"
#include "services/outbox-relay/checkpoint_log.h"
#include "services/outbox-relay/relay.h"
#include "services/outbox-relay/tail.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// How often a standby asks for the lock.
constexpr milliseconds kTakeoverPoll{200};

}  // namespace

std::unique_ptr<pg::ReplicationConnection> Relay::TakeOver(const std::stop_token& stop) {
  auto connection = std::make_unique<pg::ReplicationConnection>(settings_.database);
  const auto try_lock = [&] { return connection->TryLock(settings_.slot); };
  return AwaitLock(try_lock, stop) ? std::move(connection) : nullptr;
}

bool Relay::AwaitLock(const std::function<bool()>& try_lock, const std::stop_token& stop) {
  for (bool told = false; !try_lock();) {
    if (!told) {
      logger_.Info("standing by: another relay has the slot", {{"slot", settings_.slot}});
      observer_.Trouble({});
      control_.Say(Role::kStandsBy);
      told = true;
    }
    Pause(stop, kTakeoverPoll);
    if (stop.stop_requested()) return false;
  }
  observer_.Leading(true);
  control_.Say(Role::kLeads);
  return true;
}

bool Relay::Connect(const std::stop_token& stop) {
  // Before anything is read: what another relay still does would make it untrue.
  auto connection = TakeOver(stop);
  if (!connection) return false;
  if (settings_.Transactional() && !writer_.FenceOthers(stop)) return false;
  const auto server = connection->Identify();
  connection->SetSenderTimeout(settings_.takeover_after);
  RequirePublications(*connection);
  lanes_.Load();
  refusals_.BeginAgain();
  auto slot = connection->FindSlot(settings_.slot);
  const auto checkpoint = checkpoints_.ReadNewest();
  const auto start = Decide(*connection, server, slot, checkpoint);
  if (start == Start::kRebuild) {
    leadership_.Of(server);
    if (!Rebuild(*connection, checkpoint.value_or(Checkpoint{}), stop)) return false;
  } else {
    if (start == Start::kMakeSlot) slot = MakeSlot(*connection);
    const Lsn slot_at = slot->confirmed.value_or(Lsn{});
    progress_.Resume(settings_.promise == Promise::kAtLeastOnce
                         ? ResumeInProcess(server, slot_at)
                         : Resume(checkpoint, server, slot_at));
  }
  const Lsn from = progress_.acknowledgements().Confirmed();
  connection->Start(settings_.slot, settings_.publications, from);
  leadership_.Stream(std::move(connection), server, from);
  leadership_.BeAwake();
  rows_.ForgetTables();
  logger_.Info("streaming", {{"slot", settings_.slot},
                             {"from", ToString(from)},
                             {"server_at", ToString(server.flushed)},
                             {"in_kafka_already", progress_.SeenInKafka()}});
  observer_.Trouble({});
  leadership_.SendStatus();
  return true;
}

void Relay::RequirePublications(pg::ReplicationConnection& connection) const {
  const auto published = connection.Publications();
  for (const auto& name : settings_.publications) {
    const auto found = std::ranges::find(published, name, &pg::Publication::name);
    if (found == published.end()) {
      throw pg::ReplicationFault("publication_missing",
                                 "publication " + name + " does not exist (migrations pending?)");
    }
    // Order is kept within a table, and a key's events may lie in several partitions.
    if (found->sends_partitions) {
      throw pg::ReplicationFault("publication_sends_partitions",
                                 "publication " + name +
                                     " sends the rows of partitions as if they were tables: set "
                                     "publish_via_partition_root");
    }
  }
}

Start Relay::Decide(pg::ReplicationConnection& connection, const pg::SystemIdentity& server,
                    const std::optional<pg::Slot>& slot,
                    const std::optional<Checkpoint>& checkpoint) const {
  const bool checkpoints = settings_.promise != Promise::kAtLeastOnce;
  Findings found{.system_id = server.system_id,
                 .timeline = server.timeline,
                 .flushed = server.flushed,
                 .checkpoint = checkpoint,
                 .first_start = checkpoints ? settings_.first_start : FirstStart::kNow};
  if (!slot) found.slot = SlotState::kMissing;
  if (slot && slot->wal_status == "lost") found.slot = SlotState::kLost;
  if (checkpoint && checkpoint->timeline != server.timeline) {
    found.timeline_ended = connection.EndOfTimeline(checkpoint->timeline, server.timeline);
  }
  const auto start = DecideStart(found);
  if (!start) throw pg::ReplicationFault(start.error().cause, start.error().why);
  return *start;
}

pg::Slot Relay::MakeSlot(pg::ReplicationConnection& connection) const {
  connection.CreateSlot(settings_.slot);
  logger_.Info("made the replication slot", {{"slot", settings_.slot}});
  auto slot = connection.FindSlot(settings_.slot);
  if (!slot) throw pg::ReplicationFault("slot_missing", "the slot was dropped as it was made");
  return *slot;
}

// Without checkpoints only this process's own memory is better than the slot.
Resumption Relay::ResumeInProcess(const pg::SystemIdentity& server, Lsn slot_at) const {
  const Lsn ours = progress_.acknowledgements().Confirmed();
  const auto& before = leadership_.server();
  const bool same =
      !before || (before->system_id == server.system_id && before->timeline == server.timeline);
  if (same && ours <= server.flushed) return {.from = std::max(ours, slot_at)};
  // PostgreSQL would start at our later position and silently skip what was committed before it.
  logger_.Error("the database is another or older one: resuming where its slot says",
                {{"slot_at", ToString(slot_at)}, {"we_were_at", ToString(ours)}});
  return {.from = slot_at};
}

Resumption Relay::Resume(const std::optional<Checkpoint>& checkpoint,
                         const pg::SystemIdentity& server, Lsn slot_at) {
  Resumption resumption{.from = slot_at, .seen_until = server.flushed};
  if (!checkpoint) return resumption;
  resumption.from = std::max(slot_at, checkpoint->position);
  resumption.offsets = checkpoint->offsets;
  resumption.settled = checkpoint->settled;
  resumption.unordered = checkpoint->unordered;
  // Unless a relay that wrote no checkpoints has confirmed the slot since.
  if (settings_.Transactional() && checkpoint->atomic && slot_at <= checkpoint->position) {
    resumption.seen_until = {};
    return resumption;
  }
  CollectTails(resumption, resumption.from);
  return resumption;
}

void Relay::CollectTails(Resumption& resumption, Lsn after) {
  TailReader reader(settings_.kafka.client);
  for (auto& [topic, next] : resumption.offsets) {
    switch (CollectSeen(reader, topic, next, after, resumption.seen)) {
      case Tail::kRead:
        break;
      case Tail::kNoTopic:
        logger_.Error("a topic of the checkpoint is gone", {{"topic", topic}});
        next.clear();
        break;
      case Tail::kOutOfRange:
        logger_.Error("a topic ends before the checkpoint: it was made anew or has lost events",
                      {{"topic", topic}});
        next.clear();
        break;
    }
  }
}

void Relay::FinishCheckpoints(SteadyTime deadline) {
  if (settings_.Transactional()) {
    // A cut transaction of PostgreSQL takes those before it along.
    const bool whole = !progress_.acknowledgements().HasOpen();
    if (whole && (writer_.transaction().open() || !progress_.Covered()))
      checkpoints_.Commit(deadline);
    return;
  }
  while (!progress_.Covered() && SteadyClock::now() < deadline) {
    checkpoints_.WriteNow();
    // Nothing may be due: a transaction was cut.
    if (!progress_.CheckpointOnItsWay() || !AwaitDeliveries({}, deadline)) return;
  }
}

}  // namespace countersign::relay
