#pragma once
// A logical replication connection (walsender protocol) on libpq: what the relay reads the WAL
// with. Not thread safe.
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/lsn.h"
#include "libs/pg/conninfo.h"

struct pg_conn;
struct pg_result;

namespace countersign::pg {

// The server or the connection failed; connecting again may mend it. `cause` is a metric label.
class ReplicationFault : public std::runtime_error {
 public:
  ReplicationFault(std::string cause, const std::string& what)
      : std::runtime_error(what), cause_(std::move(cause)) {}
  [[nodiscard]] const std::string& cause() const { return cause_; }

 private:
  std::string cause_;
};

// Only an operator can mend it: wrong password or role, no such database, wal_level too low.
class ReplicationRefused final : public ReplicationFault {
 public:
  using ReplicationFault::ReplicationFault;
};

// TryLock takes the advisory lock (kSlotLockClass, hashtext(name)): the class keeps ours apart from
// those of others in the same database.
inline constexpr int kSlotLockClass = 0x43536c6b;

struct SystemIdentity {
  std::string system_id;
  int timeline = 0;
  Lsn flushed;  // end of the server's WAL when asked
  auto operator<=>(const SystemIdentity&) const = default;
};

struct Slot {
  std::string name;
  std::string plugin;
  std::string database;
  std::string wal_status;  // reserved, extended, unreserved or lost
  int active_pid = 0;      // 0: nobody streams
  std::optional<Lsn> confirmed;
};

// A slot that was just made, and the database as it was before the slot's first transaction.
struct NewSlot {
  Lsn begins;            // what is committed later comes in the stream
  std::string snapshot;  // PostgreSQL's text of a pg_snapshot: what is visible came before
};

struct TableName {
  std::string schema;
  std::string table;
};

// Rows of a table, in the order of a column, without those whose transaction is visible in an older
// snapshot.
struct RowsSince {
  TableName table;
  std::string order_by;
  std::string xid_column{};  // type xid8; not needed for all rows
  std::string snapshot{};    // empty: all rows
};

// A row's values, null for NULL. Valid inside the callback.
using RowValues = std::vector<const char*>;

// One message of the stream. `data` is valid until the next Read.
struct Frame {
  enum class Kind { kData, kKeepalive };
  Kind kind = Kind::kData;
  Lsn wal_end;  // as far as the server had sent when it wrote this
  bool reply_requested = false;
  std::string_view data;  // kData: one message of the output plugin
};

class ReplicationConnection {
 public:
  // Logical replication, UTC and ISO dates come on top of the settings. Waits for at most the
  // connect timeout. Throws ReplicationFault.
  explicit ReplicationConnection(const ConnectionSettings& settings);
  ~ReplicationConnection();
  ReplicationConnection(const ReplicationConnection&) = delete;
  ReplicationConnection& operator=(const ReplicationConnection&) = delete;

  // Before Start. They wait for the answer and throw ReplicationFault.
  [[nodiscard]] SystemIdentity Identify();
  // At most one connection has the lock of that name, until it ends; false: another one has it.
  [[nodiscard]] bool TryLock(std::string_view name);
  // How long the server waits for a sign of life before it hangs up.
  void SetSenderTimeout(std::chrono::milliseconds timeout);
  [[nodiscard]] std::vector<std::string> Publications();
  [[nodiscard]] std::optional<Slot> FindSlot(std::string_view name);
  // A permanent slot with plugin pgoutput. Waits for running transactions to end, each for the lock
  // timeout at most, then throws. A publication that is made after its slot is never decoded: check
  // Publications() first.
  void CreateSlot(std::string_view name);

  void DropSlot(std::string_view name);
  // As CreateSlot; from here to EndSnapshot the connection sees the database as it was when the
  // slot began, and only the three calls below may be made.
  [[nodiscard]] NewSlot CreateSlotAndSnapshot(std::string_view name);
  // The names of its columns. One query at a time; its rows come by Fetch.
  [[nodiscard]] std::vector<std::string> Select(const RowsSince& rows);
  // Up to `count` rows in one round trip; false when there are no more.
  [[nodiscard]] bool Fetch(int count, const std::function<void(const RowValues&)>& on_row);
  void EndSnapshot();
  // The tables that a publication tells of, a partitioned one as one.
  [[nodiscard]] std::vector<TableName> PublishedTables(std::string_view publication);
  // Where a timeline ended on the way to `current`; empty if that one does not come from it.
  [[nodiscard]] std::optional<Lsn> EndOfTimeline(int timeline, int current);

  // From then on the connection streams and never blocks. `from` 0: where the slot was confirmed;
  // PostgreSQL takes the later of the two, so a position beyond its WAL would lose events.
  void Start(std::string_view slot, const std::vector<std::string>& publications, Lsn from);

  // The same number to the end, also when libpq has closed it since: so whoever waits on it can
  // stop waiting before the next connection gets that number.
  [[nodiscard]] int socket() const { return socket_; }
  // The next message that is here; empty when the socket must be waited for. Throws
  // ReplicationFault when the stream has ended.
  [[nodiscard]] std::optional<Frame> Read();
  // Everything before `confirmed` will never be asked for again.
  void SendStatus(Lsn received, Lsn confirmed);
  // Sends what the socket did not take; call when it is writable. True while something is left.
  [[nodiscard]] bool Flush();
  // Ends the stream in order, so that the last status counts and the slot is free at once. Only
  // destruction may follow.
  void Finish(std::chrono::milliseconds limit);

 private:
  struct Close {
    void operator()(pg_conn* connection) const;
  };
  struct Clear {
    void operator()(pg_result* result) const;
  };
  struct FreeCopy {
    void operator()(char* buffer) const;
  };
  using Rows = std::unique_ptr<pg_result, Clear>;
  [[nodiscard]] Rows Query(const std::string& text, const char* doing);
  [[nodiscard]] static std::string CheckedName(std::string_view name);
  [[nodiscard]] std::string Quoted(std::string_view identifier) const;
  [[nodiscard]] std::string Literal(std::string_view text) const;
  [[noreturn]] void Throw(const char* doing, const pg_result* result) const;

  std::unique_ptr<pg_conn, Close> connection_;
  int socket_ = -1;
  std::unique_ptr<char, FreeCopy> buffer_;
};

}  // namespace countersign::pg
