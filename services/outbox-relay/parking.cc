#include "services/outbox-relay/parking.h"

#include <exception>
#include <utility>

#include "services/outbox-relay/side_connection.h"
#include "services/outbox-relay/sql/queries.h"

namespace countersign::relay {
namespace {

Wanted ParseWanted(const std::string& text) {
  if (text == "unpark") return Wanted::kUnpark;
  return text == "skip" ? Wanted::kSkip : Wanted::kNothing;
}

}  // namespace

Parking::Parking(pg::ConnectionSettings database, std::string slot)
    : database_(BesideTheStream(std::move(database), "parking")), slot_(std::move(slot)) {}

template <typename Work>
void Parking::Ask(Work work) {
  try {
    if (!connection_ || !connection_->Usable()) {
      connection_ = std::make_unique<pg::Connection>(database_);
    }
    work(*connection_);
  } catch (const pg::Fault& fault) {
    connection_.reset();
    throw pg::ReplicationFault("parking", std::string("parked keys: ") + fault.what());
  }
}

void Parking::Load() {
  Ask([this](pg::Connection& connection) {
    if (!connection.Execute(sql::kParkingExists).Only().Get<bool>(0)) {
      throw pg::ReplicationFault("parking",
                                 "table relay.parked does not exist (countersignctl migrate up, "
                                 "or on_refusal: hold)");
    }
    lanes_.clear();
    const auto rows = connection.Execute(sql::kLoadParked, slot_);
    for (const auto& row : rows) {
      lanes_.emplace(
          Lane{.topic = row.Get<std::string>(0), .key = row.Get<std::string>(1)},
          Parked{.table = {.schema = row.Get<std::string>(2), .table = row.Get<std::string>(3)},
                 .first_id = row.Get<std::int64_t>(4),
                 .event_id = row.Get<std::string>(5),
                 .wanted = ParseWanted(row.Get<std::string>(6))});
    }
  });
}

const Parked* Parking::Find(std::string_view topic, std::string_view key) const {
  const auto found = lanes_.find({.topic = std::string(topic), .key = std::string(key)});
  return found == lanes_.end() ? nullptr : &found->second;
}

std::vector<std::pair<Lane, Parked>> Parking::Wanting() const {
  std::vector<std::pair<Lane, Parked>> wanting;
  for (const auto& lane : lanes_) {
    if (lane.second.wanted != Wanted::kNothing) wanting.push_back(lane);
  }
  return wanting;
}

void Parking::Park(const Lane& lane, const Parked& first, const std::string& reason) {
  Ask([&](pg::Connection& connection) {
    connection.Execute(sql::kParkKey, slot_, lane.topic, lane.key, first.table.schema,
                       first.table.table, first.first_id, first.event_id, reason);
  });
  lanes_.insert_or_assign(lane, first);
}

void Parking::Release(const Lane& lane, Wanted how, std::size_t events) {
  Ask([&](pg::Connection& connection) {
    connection.Execute(sql::kReleaseKey, slot_, lane.topic, lane.key,
                       how == Wanted::kSkip ? "skipped" : "unparked",
                       std::to_string(events) + " events relayed");
  });
  lanes_.erase(lane);
}

}  // namespace countersign::relay
