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

constexpr milliseconds kReach{500};
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
  inquirer_.WatchSlot(settings_.source == Source::kWal);
  control_.Say(Role::kLeads);
  return true;
}

bool Relay::Connect(const std::stop_token& stop) {
  // Before anything is read: what another relay still does would make it untrue.
  auto connection = TakeOver(stop);
  if (!connection) return false;
  if (Transactional() && !FenceOthers(stop)) return false;
  const auto server = connection->Identify();
  connection->SetSenderTimeout(settings_.takeover_after);
  RequirePublications(*connection);
  LoadParked();
  auto slot = connection->FindSlot(settings_.slot);
  const auto checkpoint = OwnCheckpoint();
  const auto start = Decide(*connection, server, slot, checkpoint);
  if (start == Start::kRebuild) {
    server_ = server;
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
  stream_ = std::move(connection);
  server_ = server;
  tables_.clear();
  seen_ = std::max(server.flushed, from);
  confirmed_ = from;
  status_interval_ = settings_.takeover_after / 3;
  awake_ = SteadyClock::now();
  logger_.Info("streaming", {{"slot", settings_.slot},
                             {"from", ToString(from)},
                             {"server_at", ToString(server.flushed)},
                             {"in_kafka_already", progress_.SeenInKafka()}});
  observer_.Trouble({});
  SendStatus();
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
  const bool same =
      !server_ || (server_->system_id == server.system_id && server_->timeline == server.timeline);
  if (same && ours <= server.flushed) return {.from = std::max(ours, slot_at)};
  // PostgreSQL would start at our later position and silently skip what was committed before it.
  logger_.Error("the database is another or older one: resuming where its slot says",
                {{"slot_at", ToString(slot_at)}, {"we_were_at", ToString(ours)}});
  return {.from = slot_at};
}

std::optional<Checkpoint> Relay::OwnCheckpoint() {
  if (settings_.promise == Promise::kAtLeastOnce) return std::nullopt;
  // First: whoever asks a cluster that is away is kept waiting.
  if (!producer_->Reach(kReach)) throw TailFault("no kafka broker answers");
  TailReader reader(settings_.kafka.client, [this] { KeepSession(); });
  auto checkpoint = ReadCheckpoint(reader, settings_.checkpoint_topic, settings_.slot);
  if (checkpoint && checkpoint->atomic && !Transactional()) {
    // Not any more, as soon as this relay sends something.
    checkpoint->atomic = false;
    WriteAhead(*checkpoint);
  }
  return checkpoint;
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
  if (Transactional() && checkpoint->atomic && slot_at <= checkpoint->position) {
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

// An event of a topic that no checkpoint knows, of a time in which an earlier relay may have sent
// it.
void Relay::LookInto(std::string_view topic) {
  logger_.Info("reading a topic from its beginning: no checkpoint says where the relay stood in it",
               {{"topic", topic}});
  SeenEvents seen;
  TailReader reader(settings_.kafka.client, [this] { KeepSession(); });
  // A position tells nothing about what the tables show.
  const Lsn after = cursor_ ? Lsn{} : progress_.acknowledgements().Confirmed();
  // A topic that does not exist has none of our events.
  (void)CollectSeen(reader, std::string(topic), {}, after, seen);
  progress_.LookedInto(topic, std::move(seen));
}

void Relay::WriteCheckpointIfDue() {
  if (Transactional()) return EndKafkaTransactionIfDue();
  const auto now = SteadyClock::now();
  if (now - checkpoint_tried_ < kCheckpointInterval) return;
  TakeSnapshotIfWanted();
  auto due = progress_.DueCheckpoint();
  if (!due) return;
  checkpoint_tried_ = now;
  due->system_id = server_->system_id;
  due->timeline = server_->timeline;
  // A slot of this name, if there is one, has not what the table source has relayed.
  due->rebuilding = settings_.source == Source::kTable;
  Failpoint("before_checkpoint");
  const auto produced = Send(*due, kCheckpointToken);
  if (produced == kafka::Produced::kQueued) {
    progress_.CheckpointQueued();
  } else if (produced == kafka::Produced::kUnknownTopic) {
    throw kafka::Fault(
        0, "topic " + settings_.checkpoint_topic + " does not exist (countersignctl topics apply)");
  }
}

kafka::Produced Relay::Send(const Checkpoint& checkpoint, std::uint64_t token) {
  const std::string json = ToJson(checkpoint);
  kafka::Headers headers(0);
  return producer_->Produce(
      {.topic = settings_.checkpoint_topic, .key = settings_.slot, .value = json, .token = token},
      headers);
}

void Relay::TakeSnapshotIfWanted() {
  if (auto answer = inquirer_.CollectSnapshot()) progress_.SnapshotTaken(std::move(*answer));
  // What is asked here is taken later than the offsets that Progress notes now.
  if (progress_.WantsSnapshot() && inquirer_.TryAskSnapshot()) progress_.SnapshotAsked();
}

void Relay::FinishCheckpoints(SteadyTime deadline) {
  if (Transactional()) {
    // A cut transaction of PostgreSQL takes those before it along.
    const bool whole = !progress_.acknowledgements().HasOpen();
    if (whole && (transaction_.open() || !progress_.Covered())) CommitWithCheckpoint(deadline);
    return;
  }
  while (!progress_.Covered() && SteadyClock::now() < deadline) {
    checkpoint_tried_ = {};
    WriteCheckpointIfDue();
    // Nothing may be due: a transaction was cut.
    if (!progress_.CheckpointOnItsWay() || !AwaitDeliveries({}, deadline)) return;
  }
}

}  // namespace countersign::relay
