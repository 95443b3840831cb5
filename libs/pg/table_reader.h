#pragma once
// Reads what was committed to tables since an older snapshot, over an ordinary connection: for
// databases that give out no replication rights. Not thread safe.
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/clock.h"
#include "libs/core/lsn.h"
#include "libs/pg/conninfo.h"
#include "libs/pg/page_size.h"
#include "libs/pg/raw_session.h"
#include "libs/pg/replication.h"

namespace countersign::pg {

// The database at one moment.
struct Moment {
  std::string snapshot;  // PostgreSQL's text of a pg_snapshot
  Lsn written;           // behind the WAL of every transaction that had ended
  Lsn flushed;           // what a crash of the server would leave
  Instant time;          // of the server's clock
};

// "schema.table"; empty for anything else.
[[nodiscard]] std::optional<TableName> ParseTableName(std::string_view text);

class TableReader {
 public:
  // `on_wait` as in RawSession. Everything throws ReplicationFault.
  TableReader(const ConnectionSettings& settings, RawSession::OnWait on_wait);

  // At most one connection has the lock of that name, until it ends; false: another one has it.
  [[nodiscard]] bool TryLock(std::string_view name);
  [[nodiscard]] SystemIdentity Identify();
  [[nodiscard]] Moment Now();
  // From then on the server ends the connection when nothing is asked for so long.
  void EndIdleAfter(std::chrono::milliseconds limit);
  // A row that the server's own transactions cannot have written yet: it came from elsewhere.
  [[nodiscard]] bool HasRowFromElsewhere(const RowsSince& table);

  // One state of the database, from here to Close, and the first rows of each table, in one round
  // trip.
  [[nodiscard]] Moment Open(const std::vector<RowsSince>& tables);
  // Of the table with that place in Open's list.
  [[nodiscard]] std::vector<std::string> Columns(std::size_t table) const;
  // The rows that came with Open, then another page a call; false when there are no more.
  [[nodiscard]] bool Fetch(std::size_t table, const std::function<void(const RowValues&)>& on_row);
  void Close();
  // A sign of life.
  void Ping();

 private:
  [[nodiscard]] std::string Difference(const RowsSince& rows) const;
  [[nodiscard]] static Moment ReadMoment(const pg_result* rows);

  RawSession session_;
  RawSession::OnWait on_wait_;
  struct Page {
    RawSession::Rows rows;  // the columns stay known
    int asked = 0;
    bool given = false;  // it was handed out
  };
  std::vector<Page> pages_;      // by table, of Open
  std::vector<PageSize> sizes_;  // by table; what one Open taught serves the next
};

}  // namespace countersign::pg
