#pragma once
// Reads an outbox table as the relay does, page by page, so that any number of rows costs the
// memory of one page.
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/clock.h"
#include "libs/pg/connection.h"
#include "services/outbox-relay/domain/outbox_row.h"
#include "tools/countersignctl/arguments.h"

namespace countersign::ctl {

// How the relay reads its tables.
struct RelayView {
  relay::ColumnNames columns;
  std::string source_prefix = "/countersign/";
  std::string slot = "countersign";
};

inline constexpr Option kRelayConfig{
    "relay-config", "FILE", "the relay's YAML, for columns, source_prefix and slot of your own"};
// The relay's defaults, or what --relay-config says. Throws Failure for what it cannot read.
[[nodiscard]] RelayView ReadRelayView(const Arguments& arguments);

// Which rows; all conditions must hold.
struct RowFilter {
  std::int64_t after = -1;  // id
  std::int64_t last = std::numeric_limits<std::int64_t>::max();
  Instant since = Instant::min();
  Instant until = Instant::max();
  std::vector<std::string> event_ids{};  // empty: any
  std::optional<std::string> key{};
  std::vector<std::string> topics{};  // empty: any
};

class OutboxTable {
 public:
  static constexpr std::int64_t kPageRows = 1'000;
  // The views are good until it returns.
  using OnRow = std::function<void(const relay::OutboxRow& row, std::int64_t id)>;

  // `name` is schema.table. Throws Failure if there is no such table, or a column is missing.
  OutboxTable(pg::Connection& connection, std::string_view name, const RelayView& view);

  [[nodiscard]] const std::string& name() const { return table_.name; }
  [[nodiscard]] const std::string& source() const { return table_.source; }
  [[nodiscard]] bool HasTime() const { return table_.occurred_at >= 0; }

  [[nodiscard]] std::map<std::string, std::int64_t> CountByTopic(const RowFilter& filter);
  // The time of the row with the lowest id; empty if there is none.
  [[nodiscard]] std::optional<Instant> Oldest();
  // The next page in the order of ids, behind filter.after; returns the id to go on from, or empty
  // when that was the last page. Throws Failure for a row that the relay could not read either.
  [[nodiscard]] std::optional<std::int64_t> Page(const RowFilter& filter, const OnRow& on_row);

 private:
  pg::Connection& connection_;
  relay::Table table_;
  std::string page_;
  std::string count_;
  std::string oldest_;
};

}  // namespace countersign::ctl
