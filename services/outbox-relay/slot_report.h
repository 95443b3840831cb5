#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace countersign::relay {

// What PostgreSQL says of the replication slot, in bytes of WAL.
struct SlotReport {
  std::string wal_status;  // reserved, extended, unreserved or lost
  // From the oldest WAL that it keeps to the newest; none if it is lost.
  std::optional<std::int64_t> retained{};
  // How much more may be written before it can be lost; none if it is, or without a limit.
  std::optional<std::int64_t> safe{};
};

}  // namespace countersign::relay
