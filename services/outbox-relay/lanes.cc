#include "services/outbox-relay/lanes.h"

#include <charconv>
#include <cstdint>

#include "libs/core/failpoint.h"
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

Lanes::Lanes(const RelaySettings& settings, const log::Logger& logger, Observer& observer)
    : on_refusal_(settings.on_refusal),
      logger_(logger),
      observer_(observer),
      parking_(settings.database, settings.slot) {}

void Lanes::Load() {
  if (on_refusal_ == OnRefusal::kPark) {
    parking_.Load();
  } else {
    parking_.RequireNone();
  }
  observer_.Parked(parking_.size());
  asked_ = {};
}

// Those with a smaller id came before the refused one and are not parked.
bool Lanes::Waits(const Table& table, const OutboxRow& row) const {
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

Readable<void> Lanes::Park(const Table& table, const OutboxRow& row, const std::string& why) {
  const auto id = ParseId(row.id);
  if (!id) return tl::unexpected(why);  // it could not be found again
  const Lane lane = LaneOf(table, row);
  if (parking_.full() && parking_.Find(lane) == nullptr) {
    return tl::unexpected(why + "; and " + std::to_string(Parking::kMost) +
                          " keys are parked already");
  }
  Failpoint("before_park");
  parking_.Park(lane, {.first_id = *id, .event_id = std::string(row.event_id)}, why);
  Failpoint("after_park");
  has_parked_ = true;
  if (releasing_ && releasing_->lane == lane) releasing_->parked_again = true;
  observer_.Parked(parking_.size());
  return {};
}

Lanes::SteadyTime Lanes::Due() const {
  return parking_.empty() ? SteadyTime::max() : asked_ + kPoll;
}

std::vector<std::pair<Lane, Parked>> Lanes::Wanting() {
  asked_ = SteadyClock::now();
  auto wanting = parking_.Wanting();
  observer_.Parked(parking_.size());
  return wanting;
}

void Lanes::BeginRelease(const Lane& lane, SeenEvents seen) {
  releasing_ = Releasing{.lane = lane, .seen = std::move(seen), .sent = {}};
}

bool Lanes::IsInKafka(std::string_view event_id) const {
  return releasing_ && releasing_->seen.Contains(IdentityOf(event_id));
}

void Lanes::Sent(std::string_view event_id) {
  if (releasing_) releasing_->sent.Add(IdentityOf(event_id));
}

SeenEvents Lanes::EndRelease(const Parked& parked) {
  if (!releasing_->parked_again) {
    parking_.Release(releasing_->lane, parked, releasing_->sent.size());
    logger_.Info("a parked key was released", {{"topic", releasing_->lane.topic},
                                               {"event_id", parked.event_id},
                                               {"skipped", parked.wanted == Wanted::kSkip},
                                               {"events", releasing_->sent.size()}});
    observer_.Parked(parking_.size());
  }
  SeenEvents sent = std::move(releasing_->sent);
  releasing_.reset();
  return sent;
}

}  // namespace countersign::relay
