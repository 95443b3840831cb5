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
  for (bool told = false; !connection->TryLock(settings_.slot);) {
    if (!told) {
      logger_.Info("standing by: another relay has the slot", {{"slot", settings_.slot}});
      observer_.Trouble({});
      told = true;
    }
    Pause(stop, kTakeoverPoll);
    if (stop.stop_requested()) return nullptr;
  }
  observer_.Leading(true);
  return connection;
}

bool Relay::Connect(const std::stop_token& stop) {
  // Before anything is read: what another relay still does would make it untrue.
  auto connection = TakeOver(stop);
  if (!connection) return false;
  const auto server = connection->Identify();
  connection->SetSenderTimeout(settings_.takeover_after);
  const auto published = connection->Publications();
  for (const auto& name : settings_.publications) {
    if (std::ranges::find(published, name) == published.end()) {
      throw pg::ReplicationFault("publication_missing",
                                 "publication " + name + " does not exist (migrations pending?)");
    }
  }
  const Lsn slot_at = FindSlot(*connection).confirmed.value_or(Lsn{});
  auto resumption = settings_.promise == Promise::kAtLeastOnce ? ResumeInProcess(server, slot_at)
                                                               : Resume(server, slot_at);
  const Lsn from = resumption.from;
  const auto seen = resumption.seen.size();
  connection->Start(settings_.slot, settings_.publications, from);
  stream_ = std::move(connection);
  server_ = server;
  progress_.Resume(std::move(resumption));
  tables_.clear();
  seen_ = server.flushed;
  confirmed_ = from;
  status_interval_ = settings_.takeover_after / 3;
  logger_.Info("streaming", {{"slot", settings_.slot},
                             {"from", ToString(from)},
                             {"server_at", ToString(server.flushed)},
                             {"in_kafka_already", seen}});
  observer_.Trouble({});
  SendStatus();
  return true;
}

pg::Slot Relay::FindSlot(pg::ReplicationConnection& connection) {
  auto slot = connection.FindSlot(settings_.slot);
  if (!slot) {
    connection.CreateSlot(settings_.slot);
    slot = connection.FindSlot(settings_.slot);
    logger_.Info("made the replication slot", {{"slot", settings_.slot}});
  }
  if (!slot) throw pg::ReplicationFault("slot_missing", "the slot was dropped as it was made");
  if (slot->wal_status == "lost") {
    throw pg::ReplicationFault("slot_lost", "PostgreSQL has dropped WAL the slot still needed");
  }
  return *slot;
}

// Without checkpoints only this process's own memory is better than the slot.
Resumption Relay::ResumeInProcess(const pg::SystemIdentity& server, Lsn slot_at) {
  const Lsn ours = progress_.acknowledgements().Confirmed();
  const bool same =
      !server_ || (server_->system_id == server.system_id && server_->timeline == server.timeline);
  if (same && ours <= server.flushed) return {.from = std::max(ours, slot_at)};
  // PostgreSQL would start at our later position and silently skip what was committed before it.
  logger_.Error("the database is another or older one: resuming where its slot says",
                {{"slot_at", ToString(slot_at)}, {"we_were_at", ToString(ours)}});
  return {.from = slot_at};
}

Resumption Relay::Resume(const pg::SystemIdentity& server, Lsn slot_at) {
  // First: whoever asks a cluster that is away is kept waiting.
  if (!producer_->Reach(kReach)) throw TailFault("no kafka broker answers");
  TailReader reader(settings_.kafka.client);
  const auto checkpoint = ReadCheckpoint(reader, settings_.checkpoint_topic, settings_.slot);
  Resumption resumption{.from = slot_at, .seen_until = server.flushed};
  if (!checkpoint) return resumption;
  if (checkpoint->system_id != server.system_id || checkpoint->timeline != server.timeline ||
      checkpoint->position > server.flushed) {
    // PostgreSQL takes a position beyond its WAL and silently skips what is committed before it.
    throw pg::ReplicationFault(
        "checkpoint_refused",
        "the database is another or older one than the relay's checkpoint says: system " +
            server.system_id + ", timeline " + std::to_string(server.timeline) + ", WAL until " +
            ToString(server.flushed) + ", but the checkpoint has system " + checkpoint->system_id +
            ", timeline " + std::to_string(checkpoint->timeline) + ", position " +
            ToString(checkpoint->position));
  }
  resumption.from = std::max(slot_at, checkpoint->position);
  resumption.offsets = checkpoint->offsets;
  for (auto& [topic, next] : resumption.offsets) {
    switch (CollectSeen(reader, topic, next, resumption.from, resumption.seen)) {
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
  return resumption;
}

// An event of a topic that no checkpoint knows, of a time in which an earlier relay may have sent
// it.
void Relay::LookInto(std::string_view topic) {
  logger_.Info("reading a topic from its beginning: no checkpoint says where the relay stood in it",
               {{"topic", topic}});
  SeenEvents seen;
  TailReader reader(settings_.kafka.client, [this] { SendStatusIfDue(); });
  // A topic that does not exist has none of our events.
  (void)CollectSeen(reader, std::string(topic), {}, progress_.acknowledgements().Confirmed(), seen);
  progress_.LookedInto(topic, std::move(seen));
}

void Relay::WriteCheckpointIfDue() {
  const auto now = SteadyClock::now();
  if (now - checkpoint_tried_ < kCheckpointInterval) return;
  auto due = progress_.DueCheckpoint();
  if (!due) return;
  checkpoint_tried_ = now;
  due->system_id = server_->system_id;
  due->timeline = server_->timeline;
  Failpoint("before_checkpoint");
  const std::string json = ToJson(*due);
  kafka::Headers headers(0);
  const auto produced = producer_->Produce({.topic = settings_.checkpoint_topic,
                                            .key = settings_.slot,
                                            .value = json,
                                            .token = kCheckpointToken},
                                           headers);
  if (produced == kafka::Produced::kQueued) {
    progress_.CheckpointQueued();
  } else if (produced == kafka::Produced::kUnknownTopic) {
    throw kafka::Fault(
        0, "topic " + settings_.checkpoint_topic + " does not exist (countersignctl topics apply)");
  }
}

void Relay::FinishCheckpoints(SteadyTime deadline) {
  while (!progress_.Covered() && SteadyClock::now() < deadline) {
    checkpoint_tried_ = {};
    WriteCheckpointIfDue();
    // Nothing may be due: a transaction was cut.
    if (!progress_.CheckpointOnItsWay() || !AwaitDeliveries({}, deadline)) return;
  }
}

}  // namespace countersign::relay
