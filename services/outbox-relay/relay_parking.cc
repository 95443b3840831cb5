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

}  // namespace

// Those with a smaller id came before the refused one and are not parked.
bool Relay::Waits(const OutboxRow& row) const {
  if (parking_.empty()) return false;
  const Parked* parked = parking_.Find(row.topic, row.key);
  if (parked == nullptr) return false;
  if (releasing_ && !releasing_->parked_again && releasing_->lane.topic == row.topic &&
      releasing_->lane.key == row.key) {
    return false;
  }
  const auto id = ParseId(row.id);
  if (id && *id < parked->first_id) return false;
  observer_.LeftWaiting();
  return true;
}

// A request that is refused may hold many events, and Kafka does not say which is to blame. So they
// are sent again one by one, until one is refused that had nothing beside it.
bool Relay::MayGo(std::string_view event_id) {
  if (!suspect_) return true;
  if (suspect_->event_id == event_id) suspect_->reached = true;
  if (!suspect_->reached) return true;
  if (progress_.acknowledgements().InFlight() > 0) return false;
  if (suspect_->to_send_alone == 0) {
    suspect_.reset();
    return true;
  }
  --suspect_->to_send_alone;
  suspect_->alone = event_id;
  return true;
}

void Relay::SuspectRefused(const kafka::Delivery& delivery) {
  const auto event_id = delivery.Header("ce_id");
  // What is held is tried again and again, beside others: the cluster may take it one day.
  if (settings_.on_refusal == OnRefusal::kHold) return;
  if (!delivery.RefusedForGood() || event_id.empty()) return;
  const bool alone = suspect_ && suspect_->alone == event_id;
  suspect_ = Suspect{.event_id = event_id,
                     .why = delivery.Reason(),
                     .topic = delivery.TopicRefused(),
                     .refused_alone = alone,
                     .to_send_alone = progress_.acknowledgements().InFlight()};
}

bool Relay::IsKnownToBeRefused(const OutboxRow& row, Obstacle& obstacle) const {
  if (const auto topic = refused_topics_.find(row.topic); topic != refused_topics_.end()) {
    obstacle.why = topic->second;
    return true;
  }
  if (!suspect_ || !suspect_->refused_alone || suspect_->event_id != row.event_id) return false;
  obstacle.why = suspect_->why;
  obstacle.whole_topic = suspect_->topic;
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
  Failpoint("before_park");
  const Lane lane{.topic = std::string(row.topic), .key = std::string(row.key)};
  parking_.Park(lane,
                {.table = {.schema = table.schema, .table = table.table},
                 .first_id = *id,
                 .event_id = std::string(row.event_id)},
                obstacle.why);
  Failpoint("after_park");
  parked_one_ = true;
  if (obstacle.whole_topic) refused_topics_.emplace(row.topic, obstacle.why);
  if (suspect_ && suspect_->event_id == row.event_id) suspect_.reset();
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
  if (parking_.empty() || stop.stop_requested() || now - parking_asked_ < kParkingPoll) return;
  if (held_ || progress_.acknowledgements().HasOpen()) return;
  parking_asked_ = now;
  parking_.Load();
  for (const auto& [lane, parked] : parking_.Wanting()) ReleaseLane(lane, parked, stop);
  observer_.Parked(parking_.size());
}

// No checkpoint is written before its end is: so what of it is in Kafka when the relay dies lies
// behind the newest checkpoint's offsets, and is left out when it is begun again.
void Relay::ReleaseLane(const Lane& lane, const Parked& parked, const std::stop_token& stop) {
  pg::ReplicationConnection reader(settings_.database);
  refused_topics_.erase(lane.topic);
  progress_.BringOtherwise();
  if (Transactional()) CommitWithCheckpoint();
  releasing_ = Releasing{.lane = lane, .seen = SeenOf(lane.topic), .brought = {}};
  const std::string commit_lsn = std::exchange(commit_lsn_, {});
  reader.BeginSnapshot();
  progress_.Begin(SystemClock().Now(), 0);
  const bool complete = RelayTable(
      reader,
      {.table = parked.table,
       .order_by = settings_.columns.id,
       .matching = {{settings_.columns.topic, lane.topic}, {settings_.columns.key, lane.key}},
       .from = parked.first_id + (parked.wanted == Wanted::kSkip ? 1 : 0)},
      stop);
  const Lsn written = reader.Written();
  // A position that confirms nothing.
  progress_.Commit(Lsn{1});
  commit_lsn_ = commit_lsn;
  if (!complete || !AwaitDeliveries(stop, SteadyTime::max())) {
    throw pg::ReplicationFault("parking", "stopped while a parked key was released");
  }
  if (transaction_.open()) CommitKafkaTransaction();
  Failpoint("before_release");
  if (!releasing_->parked_again) {
    parking_.Release(lane, parked.wanted, releasing_->brought.size());
    logger_.Info("a parked key was released", {{"topic", lane.topic},
                                               {"event_id", parked.event_id},
                                               {"skipped", parked.wanted == Wanted::kSkip},
                                               {"events", releasing_->brought.size()}});
  }
  progress_.AlsoSeen(std::move(releasing_->brought), written);
  releasing_.reset();
}

SeenEvents Relay::SeenOf(const std::string& topic) {
  SeenEvents seen;
  const auto checkpoint = OwnCheckpoint();
  if (settings_.promise == Promise::kAtLeastOnce) return seen;
  Offsets::mapped_type from;
  if (checkpoint) {
    const auto found = checkpoint->offsets.find(topic);
    if (found != checkpoint->offsets.end()) from = found->second;
  }
  TailReader reader(settings_.kafka.client, [this] { SendStatusIfDue(); });
  (void)CollectSeen(reader, topic, from, Lsn{}, seen);
  seen.Sort();
  return seen;
}

}  // namespace countersign::relay
