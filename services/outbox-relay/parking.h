#pragma once
// Keys whose next event Kafka refuses for good: they wait in PostgreSQL, and the stream goes on.
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/pg/connection.h"
#include "libs/pg/replication.h"

namespace countersign::relay {

// What order is kept in: the events of one key in one topic, of one table.
struct Lane {
  pg::TableName table;
  std::string topic;
  std::string key;
  auto operator<=>(const Lane&) const = default;
};

enum class Wanted : std::uint8_t { kNothing, kUnpark, kSkip };

struct Parked {
  std::int64_t first_id = 0;  // of the outbox table; everything from here on waits
  std::string event_id;       // of that first one
  Wanted wanted = Wanted::kNothing;
};

using ParkedKeys = std::map<Lane, Parked>;

// Whether there is a place for parked keys, and this role may look into it.
[[nodiscard]] bool CanReadParkedKeys(pg::Connection& connection);
[[nodiscard]] ParkedKeys ReadParkedKeys(pg::Connection& connection, const std::string& slot);

// Not thread safe. Everything but the plain questions waits for the database, for two seconds at
// most, and throws pg::ReplicationFault.
class Parking {
 public:
  Parking(pg::ConnectionSettings database, std::string slot);

  // Reads which keys of the slot are parked, and what is wanted of them. Throws also if the
  // database has no place for them.
  void Load();
  [[nodiscard]] bool empty() const { return lanes_.empty(); }
  [[nodiscard]] std::size_t size() const { return lanes_.size(); }
  [[nodiscard]] bool full() const { return lanes_.size() >= kMost; }
  [[nodiscard]] const Parked* Find(const Lane& lane) const;
  // Those an operator wants released.
  [[nodiscard]] std::vector<std::pair<Lane, Parked>> Wanting();

  // It is written down when this returns.
  void Park(const Lane& lane, const Parked& first, const std::string& reason);
  // Throws if the key is not parked as it was: another relay leads by now.
  void Release(const Lane& lane, const Parked& parked, std::size_t events);

  // Throws if a key of the slot is parked: a relay that parks nothing would pass it.
  void RequireNone();

  // A key more, and everything is held: so many are no accident of single events, and each costs
  // memory here.
  static constexpr std::size_t kMost = 10'000;

 private:
  template <typename Work>
  void Ask(Work work);

  const pg::ConnectionSettings database_;
  const std::string slot_;
  std::unique_ptr<pg::Connection> connection_;
  ParkedKeys lanes_;
};

}  // namespace countersign::relay
