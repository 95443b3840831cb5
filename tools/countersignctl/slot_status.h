#pragma once
#include <cstdint>
#include <string>

#include "libs/pg/connection.h"

namespace countersign::ctl {

// What PostgreSQL says of the replication slot of a relay.
struct SlotStatus {
  bool exists = false;
  bool active = false;  // a relay is connected
  std::string wal_status{};
  std::string confirmed{};
  std::int64_t lag_bytes = 0;
  std::int64_t retained_bytes = 0;

  // In words for the operator: the slot misses WAL, or soon will. Empty: it has all it needs.
  [[nodiscard]] std::string WalTrouble() const;
};

[[nodiscard]] SlotStatus ReadSlotStatus(pg::Connection& connection, const std::string& slot);

}  // namespace countersign::ctl
