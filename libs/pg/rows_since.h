#pragma once
// Which rows of a table are read, and how.
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libs/pg/raw_session.h"

namespace countersign::pg {

struct TableName {
  std::string schema;
  std::string table;
  auto operator<=>(const TableName&) const = default;
};

// Rows of a table, in the order of a column, without those whose transaction is visible in an older
// snapshot.
struct RowsSince {
  TableName table;
  std::string order_by;
  std::string xid_column{};  // type xid8; not needed for all rows
  std::string snapshot{};    // empty: all rows
  std::string visible_in{};  // empty: all rows; else only what is visible in this snapshot, too
  // Only rows with these values, from this value of `order_by` on.
  std::vector<std::pair<std::string, std::string>> matching{};
  std::optional<std::int64_t> from{};
};

// A row's values, null for NULL. Valid inside the callback.
using RowValues = std::vector<const char*>;

[[nodiscard]] std::string SelectRows(const RawSession& session, const RowsSince& rows);

}  // namespace countersign::pg
