#pragma once
// PostgreSQL's text of a pg_snapshot, "xmin:xmax:xip,xip": transactions before xmin have ended,
// those from xmax on had not begun, and the xip between them were running.
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace countersign::relay {

struct SnapshotNumbers {
  std::uint64_t xmin = 0;
  std::uint64_t xmax = 0;
  std::vector<std::uint64_t> running{};
};

// Empty if it is no such text.
[[nodiscard]] std::optional<SnapshotNumbers> ReadSnapshot(std::string_view snapshot);

}  // namespace countersign::relay
