#include "services/outbox-relay/table_cursor.h"

#include <algorithm>

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// Without an index a question reads the whole table.
constexpr milliseconds kSlow{1'000};
constexpr std::chrono::seconds kSlowNews{60};

}  // namespace

TableCursor::TableCursor(const RelaySettings& settings, const log::Logger& logger)
    : settings_(settings), logger_(logger) {
  for (const auto& name : settings_.tables) {
    const auto table = pg::ParseTableName(name);
    if (!table) throw pg::ReplicationRefused("configuration", "tables: " + name);
    tables_.push_back(*table);
  }
}

void TableCursor::RefuseRowsFromElsewhere(pg::TableReader& reader) const {
  for (const auto& table : Difference()) {
    if (!reader.HasRowFromElsewhere(table)) continue;
    throw pg::ReplicationFault(
        "rows_from_elsewhere",
        "table " + table.table.schema + "." + table.table.table + " has rows whose " +
            table.xid_column +
            " is ahead of the server's transactions: they were restored from another one");
  }
}

std::vector<pg::RowsSince> TableCursor::Difference() const {
  std::vector<pg::RowsSince> since;
  since.reserve(tables_.size());
  for (const auto& table : tables_) {
    since.push_back({.table = table,
                     .order_by = settings_.columns.id,
                     .xid_column = settings_.columns.xid,
                     .snapshot = snapshot_});
  }
  return since;
}

pg::Moment TableCursor::Open(pg::TableReader& reader) {
  const auto asked = SteadyClock::now();
  auto moment = reader.Open(Difference());
  const auto answered = SteadyClock::now();
  if (answered - asked > kSlow && answered - slow_told_ > kSlowNews) {
    slow_told_ = answered;
    logger_.Warn("reading the tables takes long: is there an index on (xid, id)?",
                 {{"ms", std::chrono::ceil<milliseconds>(answered - asked).count()}});
  }
  if (!polled_) polled_ = moment.time;
  return moment;
}

void TableCursor::Close(pg::TableReader& reader, const pg::Moment& moment) {
  reader.Close();
  snapshot_ = moment.snapshot;
  polled_ = moment.time;
}

milliseconds TableCursor::NextPause(bool rows) {
  pause_ = rows ? kShortestPause : std::clamp(pause_ * 2, kShortestPause, settings_.poll_max);
  return pause_;
}

}  // namespace countersign::relay
