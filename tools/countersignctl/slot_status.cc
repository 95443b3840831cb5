#include "tools/countersignctl/slot_status.h"

#include "tools/countersignctl/sql/queries.h"

namespace countersign::ctl {

std::string SlotStatus::WalTrouble() const {
  if (wal_status == "lost") return "the slot is lost: WAL it needs was removed";
  if (wal_status == "unreserved") return "the slot is about to be lost";
  return "";
}

SlotStatus ReadSlotStatus(pg::Connection& connection, const std::string& slot) {
  const auto rows = connection.Execute(sql::kReadSlot, slot);
  SlotStatus status;
  if (rows.empty()) return status;
  status.exists = true;
  status.active = rows[0].Get<bool>("active");
  status.wal_status = rows[0].Get<std::string>("wal_status");
  status.confirmed = rows[0].Get<std::string>("confirmed");
  status.lag_bytes = rows[0].Get<std::int64_t>("lag_bytes");
  status.retained_bytes = rows[0].Get<std::int64_t>("retained_bytes");
  return status;
}

}  // namespace countersign::ctl
