#include "services/outbox-relay/beginning.h"

#include <algorithm>
#include <cstdint>

#include "services/outbox-relay/domain/snapshot.h"
#include "services/outbox-relay/tail.h"

namespace countersign::relay {

void RequirePublications(pg::ReplicationConnection& connection,
                         const std::vector<std::string>& names) {
  const auto published = connection.Publications();
  for (const auto& name : names) {
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

Start DecideWithSlot(const RelaySettings& settings, pg::ReplicationConnection& connection,
                     const pg::SystemIdentity& server, const std::optional<pg::Slot>& slot,
                     const std::optional<Checkpoint>& checkpoint) {
  const bool checkpoints = settings.promise != Promise::kAtLeastOnce;
  Findings found{.system_id = server.system_id,
                 .timeline = server.timeline,
                 .flushed = server.flushed,
                 .checkpoint = checkpoint,
                 .first_start = checkpoints ? settings.first_start : FirstStart::kNow};
  if (!slot) found.slot = SlotState::kMissing;
  if (slot && slot->wal_status == "lost") found.slot = SlotState::kLost;
  if (checkpoint && checkpoint->timeline != server.timeline) {
    found.timeline_ended = connection.EndOfTimeline(checkpoint->timeline, server.timeline);
  }
  const auto start = DecideStart(found);
  if (!start) throw pg::ReplicationFault(start.error().cause, start.error().why);
  return *start;
}

Start DecideWithTables(const RelaySettings& settings, const pg::SystemIdentity& server,
                       const pg::Moment& now, const std::optional<Checkpoint>& checkpoint) {
  const auto snapshot = ReadSnapshot(now.snapshot);
  if (!snapshot) throw pg::ReplicationFault("protocol", "the server's snapshot cannot be read");
  const auto start = DecideStart({.source = Source::kTable,
                                  .system_id = server.system_id,
                                  .timeline = server.timeline,
                                  .flushed = server.flushed,
                                  .slot = SlotState::kMissing,
                                  .checkpoint = checkpoint,
                                  .next_transaction = snapshot->xmax,
                                  .first_start = settings.first_start});
  if (!start) throw pg::ReplicationFault(start.error().cause, start.error().why);
  return *start;
}

pg::Slot MakeSlot(pg::ReplicationConnection& connection, const std::string& name,
                  const log::Logger& logger) {
  connection.CreateSlot(name);
  logger.Info("made the replication slot", {{"slot", name}});
  auto slot = connection.FindSlot(name);
  if (!slot) throw pg::ReplicationFault("slot_missing", "the slot was dropped as it was made");
  return *slot;
}

Resumption ResumeInProcess(const std::optional<pg::SystemIdentity>& before, Lsn ours,
                           const pg::SystemIdentity& server, Lsn slot_at,
                           const log::Logger& logger) {
  const bool same =
      !before || (before->system_id == server.system_id && before->timeline == server.timeline);
  if (same && ours <= server.flushed) return {.from = std::max(ours, slot_at)};
  // PostgreSQL would start at our later position and silently skip what was committed before it.
  logger.Error("the database is another or older one: resuming where its slot says",
               {{"slot_at", ToString(slot_at)}, {"we_were_at", ToString(ours)}});
  return {.from = slot_at};
}

Resumption ResumeWithSlot(const RelaySettings& settings,
                          const std::optional<Checkpoint>& checkpoint,
                          const pg::SystemIdentity& server, Lsn slot_at,
                          const log::Logger& logger) {
  Resumption resumption{.from = slot_at, .seen_until = server.flushed};
  if (!checkpoint) return resumption;
  resumption.from = std::max(slot_at, checkpoint->position);
  resumption.offsets = checkpoint->offsets;
  resumption.settled = checkpoint->settled;
  resumption.unordered = checkpoint->unordered;
  // Unless a relay that wrote no checkpoints has confirmed the slot since.
  if (settings.Transactional() && checkpoint->atomic && slot_at <= checkpoint->position) {
    resumption.seen_until = {};
    return resumption;
  }
  CollectTails(settings.kafka.client, resumption, resumption.from, logger);
  return resumption;
}

Resumption ResumeWithTables(const RelaySettings& settings,
                            const std::optional<Checkpoint>& checkpoint,
                            const log::Logger& logger) {
  Resumption resumption{.seen_until = Lsn{UINT64_MAX}, .batches = true};
  if (!checkpoint) {
    logger.Warn("first start: relaying what the tables hold", {{"slot", settings.slot}});
    return resumption;
  }
  resumption.from = checkpoint->position;
  resumption.settled = checkpoint->settled;
  if (checkpoint->settled) resumption.offsets = checkpoint->settled->offsets;
  CollectTails(settings.kafka.client, resumption, Lsn{}, logger);
  return resumption;
}

void CollectTails(const kafka::ClientSettings& cluster, Resumption& resumption, Lsn after,
                  const log::Logger& logger) {
  TailReader reader(cluster);
  for (auto& [topic, next] : resumption.offsets) {
    switch (CollectSeen(reader, topic, next, after, resumption.seen)) {
      case Tail::kRead:
        break;
      case Tail::kNoTopic:
        logger.Error("a topic of the checkpoint is gone", {{"topic", topic}});
        next.clear();
        break;
      case Tail::kOutOfRange:
        logger.Error("a topic ends before the checkpoint: it was made anew or has lost events",
                     {{"topic", topic}});
        next.clear();
        break;
    }
  }
}

}  // namespace countersign::relay
