#pragma once
// Where a relay stood: what the next one needs in order to go on without loss and without bringing
// anything twice (docs/adr/0014-resume-without-duplicates.md).
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/lsn.h"

namespace countersign::relay {

// By topic and partition: events that are not covered by the checkpoint lie at this offset or
// behind it. A partition without a number, or with kUnknownOffset, may hold them anywhere.
inline constexpr std::int64_t kUnknownOffset = -1;
using Offsets = std::map<std::string, std::vector<std::int64_t>, std::less<>>;

// From it the stream can be rebuilt out of the tables when the slot is gone.
struct SettledPoint {
  // PostgreSQL's text of a pg_snapshot. Kafka has every event that is visible in it; one that is
  // not lies at these offsets or behind.
  std::string snapshot{};
  Offsets offsets{};
};

struct Checkpoint {
  // Of the database; positions of another one mean nothing.
  std::string system_id{};
  int timeline = 0;
  // Kafka has every event that was committed before.
  Lsn position{};
  Offsets offsets{};
  std::optional<SettledPoint> settled{};
  // The slot is being made anew: until a later checkpoint says otherwise it misses events.
  bool rebuilding = false;
  // It became visible together with the last event before its position: Kafka has none behind it.
  bool atomic = false;
  // Behind the offsets lie events out of the stream's order: the offsets must stay as they are
  // until the stream has passed those events.
  bool unordered = false;
};

}  // namespace countersign::relay
