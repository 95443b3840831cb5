// How a parked key is released: what of it waits in PostgreSQL is read from its table.
#include <memory>
#include <utility>

#include "libs/core/failpoint.h"
#include "services/outbox-relay/relay.h"
#include "services/outbox-relay/tail.h"

namespace countersign::relay {
namespace {

using SteadyClock = std::chrono::steady_clock;

}  // namespace

void Relay::ReleaseWanted(const std::stop_token& stop) {
  if (stop.stop_requested() || !control_.MayRead() || SteadyClock::now() < lanes_.Due()) return;
  if (rows_.Holds() || awaited_ || progress_.acknowledgements().HasOpen()) return;
  if (cursor_ && cursor_->snapshot().empty()) return;  // nothing was read yet
  const auto wanting = lanes_.Wanting();
  // A topic is tried once, and not waited for anew for each of its keys.
  for (const auto& [lane, parked] : wanting) refusals_.TryAgain(lane.topic);
  for (const auto& [lane, parked] : wanting) ReleaseLane(lane, parked, stop);
}

// No checkpoint is written before its end is: so what of it is in Kafka when the relay dies lies
// behind the newest checkpoint's offsets, and is left out when it is begun again.
void Relay::ReleaseLane(const Lane& lane, const Parked& parked, const std::stop_token& stop) {
  if (!cursor_) progress_.BringOtherwise();
  if (settings_.Transactional()) checkpoints_.Commit();
  lanes_.BeginRelease(lane, SeenOf(lane.topic));
  rows_.OfCommit({});
  const pg::RowsSince rows{
      .table = lane.table,
      .order_by = settings_.columns.id,
      .matching = {{settings_.columns.topic, lane.topic}, {settings_.columns.key, lane.key}},
      .from = parked.first_id + (parked.wanted == Wanted::kSkip ? 1 : 0)};
  progress_.Begin(SystemClock().Now(), 0);
  const auto written = RelayLane(rows, stop);
  // A position that confirms nothing.
  progress_.Commit(Lsn{1});
  if (!written || !AwaitDeliveries(stop, SteadyTime::max())) {
    throw pg::ReplicationFault("parking", "stopped while a parked key was released");
  }
  if (writer_.transaction().open()) writer_.CommitTransaction();
  Failpoint("before_release");
  auto sent = lanes_.EndRelease(parked);
  // The next difference of the tables has none of it.
  if (!cursor_) progress_.AlsoSeen(std::move(sent), *written);
}

// Of the table source only what it has read: the rest of the key comes with the next difference.
std::optional<Lsn> Relay::RelayLane(pg::RowsSince rows, const std::stop_token& stop) {
  std::unique_ptr<pg::TableReader> beside;
  if (cursor_) {
    rows.xid_column = settings_.columns.xid;
    rows.visible_in = cursor_->snapshot();
  } else {
    beside = std::make_unique<pg::TableReader>(settings_.database, [this, &stop] {
      leadership_.Keep();
      return !stop.stop_requested();
    });
  }
  auto& reader = cursor_ ? *leadership_.reader() : *beside;
  const auto moment = reader.Open({rows});
  if (!cursor_ && !AwaitStandbys(moment.written, stop)) return std::nullopt;
  if (!RelayRows(reader, 0, rows.table, stop)) return std::nullopt;
  reader.Close();
  return moment.written;
}

SeenEvents Relay::SeenOf(const std::string& topic) {
  SeenEvents seen;
  const auto checkpoint = checkpoints_.ReadNewest();
  if (settings_.promise == Promise::kAtLeastOnce) return seen;
  Offsets::mapped_type from;
  if (checkpoint) {
    const auto found = checkpoint->offsets.find(topic);
    if (found != checkpoint->offsets.end()) from = found->second;
  }
  TailReader reader(settings_.kafka.client, [this] { leadership_.Keep(); });
  (void)CollectSeen(reader, topic, from, Lsn{}, seen);
  seen.Sort();
  return seen;
}

}  // namespace countersign::relay
