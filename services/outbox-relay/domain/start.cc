#include "services/outbox-relay/domain/start.h"

#include "services/outbox-relay/domain/snapshot.h"

namespace countersign::relay {
namespace {

tl::unexpected<StartRefused> Refuse(const Findings& found, const std::string& why) {
  const Checkpoint& checkpoint = *found.checkpoint;
  return tl::unexpected(StartRefused{
      .cause = "checkpoint_refused",
      .why = why + ": system " + found.system_id + ", timeline " + std::to_string(found.timeline) +
             ", WAL until " + ToString(found.flushed) + ", but the checkpoint has system " +
             checkpoint.system_id + ", timeline " + std::to_string(checkpoint.timeline) +
             ", position " + ToString(checkpoint.position)});
}

tl::expected<Start, StartRefused> WithoutCheckpoint(const Findings& found) {
  switch (found.slot) {
    case SlotState::kUsable:
      return Start::kResume;
    case SlotState::kMissing:
      return found.first_start == FirstStart::kNow ? Start::kMakeSlot : Start::kRebuild;
    case SlotState::kLost:
      break;
  }
  return tl::unexpected(StartRefused{
      .cause = "slot_lost",
      .why = "PostgreSQL has dropped WAL the slot still needed, and no checkpoint says "
             "what Kafka has; drop the slot, and with first_start: everything the "
             "relay compares all of the tables with all of Kafka"});
}

}  // namespace

tl::expected<Start, StartRefused> DecideStart(const Findings& found) {
  if (!found.checkpoint) return WithoutCheckpoint(found);
  const Checkpoint& checkpoint = *found.checkpoint;
  if (checkpoint.system_id != found.system_id) return Refuse(found, "another database");
  if (checkpoint.timeline != found.timeline && found.source == Source::kTable) {
    return Refuse(found,
                  "the database was promoted, and without replication rights nobody can tell "
                  "whether it has everything the checkpoint has");
  }
  if (checkpoint.timeline != found.timeline &&
      (!found.timeline_ended || *found.timeline_ended < checkpoint.position)) {
    // Transactions that Kafka has are missing here, and their numbers may belong to others now.
    return Refuse(found, "the database left the checkpoint's history before its position");
  }
  const auto snapshot = ReadSnapshot(checkpoint.settled.value_or(SettledPoint{}).snapshot);
  if (found.next_transaction && snapshot && snapshot->xmax > *found.next_transaction) {
    // The transactions up to there would be taken for those that Kafka has.
    return Refuse(found, "the database is older than the checkpoint's snapshot " +
                             checkpoint.settled->snapshot);
  }
  // PostgreSQL takes a position beyond its WAL and silently skips what is committed before it.
  if (checkpoint.position > found.flushed) {
    return Refuse(found, "the database is older than the checkpoint");
  }
  if (found.slot == SlotState::kUsable && !checkpoint.rebuilding) return Start::kResume;
  // A first start that did not end has no settled point: it begins again with everything.
  if (!checkpoint.settled && !checkpoint.rebuilding) {
    return Refuse(found, found.source == Source::kTable
                             ? "the checkpoint has no snapshot from which to read the tables"
                             : "the slot is gone, and the checkpoint has no snapshot to rebuild it "
                               "from");
  }
  return Start::kRebuild;
}

}  // namespace countersign::relay
