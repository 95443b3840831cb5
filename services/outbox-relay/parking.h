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

// What order is kept in: the events of one key in one topic.
struct Lane {
  std::string topic;
  std::string key;
  auto operator<=>(const Lane&) const = default;
};

enum class Wanted : std::uint8_t { kNothing, kUnpark, kSkip };

struct Parked {
  pg::TableName table;
  std::int64_t first_id = 0;  // of the outbox table; everything from here on waits
  std::string event_id;       // of that first one
  Wanted wanted = Wanted::kNothing;
};

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
  [[nodiscard]] const Parked* Find(std::string_view topic, std::string_view key) const;
  // Those an operator wants released.
  [[nodiscard]] std::vector<std::pair<Lane, Parked>> Wanting() const;

  // It is written down when this returns.
  void Park(const Lane& lane, const Parked& first, const std::string& reason);
  void Release(const Lane& lane, Wanted how, std::size_t events);

 private:
  template <typename Work>
  void Ask(Work work);

  const pg::ConnectionSettings database_;
  const std::string slot_;
  std::unique_ptr<pg::Connection> connection_;
  std::map<Lane, Parked> lanes_;
};

}  // namespace countersign::relay
