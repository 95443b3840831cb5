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

template <typename Row>
std::pair<Lane, Parked> ReadParked(const Row& row) {
  return {Lane{.table = {.schema = row.template Get<std::string>(2),
                         .table = row.template Get<std::string>(3)},
               .topic = row.template Get<std::string>(0),
               .key = row.template Get<std::string>(1)},
          Parked{.first_id = row.template Get<std::int64_t>(4),
                 .event_id = row.template Get<std::string>(5),
                 .wanted = ParseWanted(row.template Get<std::string>(6))}};
}

}  // namespace

bool CanReadParkedKeys(pg::Connection& connection) {
  return connection.Execute(sql::kParkingReadable).Only().Get<bool>(0);
}

ParkedKeys ReadParkedKeys(pg::Connection& connection, const std::string& slot) {
  ParkedKeys keys;
  const auto rows = connection.Execute(sql::kLoadParked, slot);
  for (const auto& row : rows) keys.insert(ReadParked(row));
  return keys;
}

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
    lanes_ = ReadParkedKeys(connection, slot_);
  });
}

void Parking::RequireNone() {
  Ask([this](pg::Connection& connection) {
    if (!CanReadParkedKeys(connection)) return;
    const auto keys = ReadParkedKeys(connection, slot_).size();
    if (keys == 0) return;
    throw pg::ReplicationFault("parking",
                               std::to_string(keys) +
                                   " keys are parked, and on_refusal: hold would pass them "
                                   "(countersignctl relay parked, with on_refusal: park)");
  });
}

const Parked* Parking::Find(const Lane& lane) const {
  const auto found = lanes_.find(lane);
  return found == lanes_.end() ? nullptr : &found->second;
}

std::vector<std::pair<Lane, Parked>> Parking::Wanting() {
  std::vector<std::pair<Lane, Parked>> wanting;
  Ask([&](pg::Connection& connection) {
    const auto rows = connection.Execute(sql::kLoadWanted, slot_);
    for (const auto& row : rows) wanting.push_back(ReadParked(row));
  });
  return wanting;
}

void Parking::Park(const Lane& lane, const Parked& first, const std::string& reason) {
  Ask([&](pg::Connection& connection) {
    connection.Execute(sql::kParkKey, slot_, lane.topic, lane.key, lane.table.schema,
                       lane.table.table, first.first_id, first.event_id, reason);
  });
  lanes_.insert_or_assign(lane, first);
}

void Parking::Release(const Lane& lane, const Parked& parked, std::size_t events) {
  Ask([&](pg::Connection& connection) {
    const auto released = connection.Execute(
        sql::kReleaseKey, slot_, lane.topic, lane.key, lane.table.schema, lane.table.table,
        parked.event_id, parked.wanted == Wanted::kSkip ? "skipped" : "unparked",
        std::to_string(events) + " events relayed");
    if (released.size() == 0) {
      throw pg::ReplicationFault("parking", "a key that was released is parked anew");
    }
  });
  lanes_.erase(lane);
}

}  // namespace countersign::relay
