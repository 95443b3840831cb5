#pragma once
// How far the tables were read: what comes next is their difference from a snapshot.
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libs/core/clock.h"
#include "libs/log/logger.h"
#include "libs/pg/table_reader.h"
#include "services/outbox-relay/relay_settings.h"

namespace countersign::relay {

// Of one connection. Not thread safe. What asks the server throws pg::ReplicationFault.
class TableCursor {
 public:
  // Throws pg::ReplicationRefused if one of the tables has no name that can be one.
  TableCursor(const RelaySettings& settings, const log::Logger& logger);

  [[nodiscard]] const std::vector<pg::TableName>& tables() const { return tables_; }
  // All that is visible in it was read; empty: nothing was.
  [[nodiscard]] const std::string& snapshot() const { return snapshot_; }
  void StandAt(std::string snapshot) { snapshot_ = std::move(snapshot); }

  // A restored dump brings the transaction numbers of another server: those ahead of this one's
  // would be relayed when they come up here, long after and behind newer events. Throws if there
  // are any.
  void RefuseRowsFromElsewhere(pg::TableReader& reader) const;

  // Opens the difference: the rows of each table in the order of tables().
  [[nodiscard]] pg::Moment Open(pg::TableReader& reader);
  // No row of the open difference was committed before that; there must have been an Open.
  [[nodiscard]] Instant CommittedAfter() const { return *polled_; }
  // All of it was read.
  void Close(pg::TableReader& reader, const pg::Moment& moment);
  // How long to gather the next difference; longer each time in which there were no rows.
  [[nodiscard]] std::chrono::milliseconds NextPause(bool rows);

  // The next difference is gathered so long: a question costs the server more than a row.
  static constexpr std::chrono::milliseconds kShortestPause{1};

 private:
  [[nodiscard]] std::vector<pg::RowsSince> Difference() const;

  const RelaySettings& settings_;
  const log::Logger& logger_;
  std::vector<pg::TableName> tables_;
  std::string snapshot_;
  std::optional<Instant> polled_;  // of the server's clock
  std::chrono::milliseconds pause_{0};
  std::chrono::steady_clock::time_point slow_told_{};
};

}  // namespace countersign::relay
