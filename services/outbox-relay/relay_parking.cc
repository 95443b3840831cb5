// Events that Kafka refuses for good: how the culprit of a refused request is found, and how its
// key is parked and released.
#include <charconv>
#include <utility>

#include "libs/core/failpoint.h"
#include "services/outbox-relay/checkpoint_log.h"
#include "services/outbox-relay/relay.h"
#include "services/outbox-relay/tail.h"

namespace countersign::relay {
namespace {

using SteadyClock = std::chrono::steady_clock;

std::optional<std::int64_t> ParseId(std::string_view text) {
  std::int64_t id = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), id);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return id;
}

Lane LaneOf(const Table& table, const OutboxRow& row) {
  return {.table = {.schema = table.schema, .table = table.table},
          .topic = std::string(row.topic),
          .key = std::string(row.key)};
}

}  // namespace

void Relay::LoadParked() {
  if (settings_.on_refusal == OnRefusal::kPark) {
    parking_.Load();
  } else {
    parking_.RequireNone();
  }
  observer_.Parked(parking_.size());
  // What an earlier session began to release is begun again before anything else.
  parking_asked_ = {};
  refusals_.BeginAgain();
}

// Those with a smaller id came before the refused one and are not parked.
bool Relay::Waits(const Table& table, const OutboxRow& row) const {
  if (parking_.empty()) return false;
  const Lane lane = LaneOf(table, row);
  const Parked* parked = parking_.Find(lane);
  if (parked == nullptr) return false;
  if (releasing_ && !releasing_->parked_again && releasing_->lane == lane) return false;
  const auto id = ParseId(row.id);
  if (id && *id < parked->first_id) return false;
  observer_.LeftWaiting();
  return true;
}

bool Relay::Refuse(const Table& table, const OutboxRow& row, const Obstacle& obstacle) {
  if (settings_.on_refusal == OnRefusal::kHold) return Hold(obstacle);
  const bool waited =
      held_ && !held_->queue_full && SteadyClock::now() - held_->since >= settings_.park_after;
  if (obstacle.may_pass && !waited) return Hold(obstacle);
  return Park(table, row, obstacle);
}

bool Relay::Park(const Table& table, const OutboxRow& row, const Obstacle& obstacle) {
  const auto id = ParseId(row.id);
  if (!id) return Hold(obstacle);  // it could not be found again
  const Lane lane = LaneOf(table, row);
  if (parking_.full() && parking_.Find(lane) == nullptr) {
    Obstacle too_many = obstacle;
    too_many.why += "; and " + std::to_string(Parking::kMost) + " keys are parked already";
    return Hold(too_many);
  }
  Failpoint("before_park");
  parking_.Park(lane, {.first_id = *id, .event_id = std::string(row.event_id)}, obstacle.why);
  Failpoint("after_park");
  parked_one_ = true;
  if (obstacle.whole_topic) refusals_.RefuseTopic(row.topic, obstacle.why);
  refusals_.Forget(row.event_id);
  if (releasing_ && releasing_->lane == lane) releasing_->parked_again = true;
  logger_.Error("kafka refuses an event for good: it and later ones of its key wait",
                {{"event_id", obstacle.event_id},
                 {"topic", obstacle.topic},
                 {"trace_id", obstacle.trace_id},
                 {"why", obstacle.why}});
  observer_.Parked(parking_.size());
  return true;
}

void Relay::ReleaseWanted(const std::stop_token& stop) {
  const auto now = SteadyClock::now();
  if (parking_.empty() || stop.stop_requested() || !control_.MayRead() ||
      now - parking_asked_ < kParkingPoll)
    return;
  if (held_ || progress_.acknowledgements().HasOpen()) return;
  if (cursor_ && cursor_->snapshot.empty()) return;  // nothing was read yet
  parking_asked_ = now;
  const auto wanting = parking_.Wanting();
  // A topic is tried once, and not waited for anew for each of its keys.
  for (const auto& [lane, parked] : wanting) refusals_.TryAgain(lane.topic);
  for (const auto& [lane, parked] : wanting) ReleaseLane(lane, parked, stop);
  observer_.Parked(parking_.size());
}

// No checkpoint is written before its end is: so what of it is in Kafka when the relay dies lies
// behind the newest checkpoint's offsets, and is left out when it is begun again.
void Relay::ReleaseLane(const Lane& lane, const Parked& parked, const std::stop_token& stop) {
  if (!cursor_) progress_.BringOtherwise();
  if (settings_.Transactional()) checkpoints_.Commit();
  releasing_ = Releasing{.lane = lane, .seen = SeenOf(lane.topic), .brought = {}};
  const std::string commit_lsn = std::exchange(commit_lsn_, {});
  const pg::RowsSince rows{
      .table = lane.table,
      .order_by = settings_.columns.id,
      .matching = {{settings_.columns.topic, lane.topic}, {settings_.columns.key, lane.key}},
      .from = parked.first_id + (parked.wanted == Wanted::kSkip ? 1 : 0)};
  progress_.Begin(SystemClock().Now(), 0);
  const auto written = RelayLane(rows, stop);
  // A position that confirms nothing.
  progress_.Commit(Lsn{1});
  commit_lsn_ = commit_lsn;
  if (!written || !AwaitDeliveries(stop, SteadyTime::max())) {
    throw pg::ReplicationFault("parking", "stopped while a parked key was released");
  }
  if (writer_.transaction().open()) writer_.CommitTransaction();
  Failpoint("before_release");
  if (!releasing_->parked_again) {
    parking_.Release(lane, parked, releasing_->brought.size());
    logger_.Info("a parked key was released", {{"topic", lane.topic},
                                               {"event_id", parked.event_id},
                                               {"skipped", parked.wanted == Wanted::kSkip},
                                               {"events", releasing_->brought.size()}});
  }
  // The next difference of the tables has none of it.
  if (!cursor_) progress_.AlsoSeen(std::move(releasing_->brought), *written);
  releasing_.reset();
}

// Of the table source only what it has read: the rest of the key comes with the next difference.
std::optional<Lsn> Relay::RelayLane(pg::RowsSince rows, const std::stop_token& stop) {
  std::unique_ptr<pg::TableReader> beside;
  if (cursor_) {
    rows.xid_column = settings_.columns.xid;
    rows.visible_in = cursor_->snapshot;
  } else {
    beside = std::make_unique<pg::TableReader>(settings_.database, [this, &stop] {
      leadership_.Keep();
      return !stop.stop_requested();
    });
  }
  auto& reader = cursor_ ? *leadership_.reader() : *beside;
  const auto moment = reader.Open({rows});
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
