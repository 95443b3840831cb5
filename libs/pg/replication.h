#pragma once
// A logical replication connection (walsender protocol) on libpq: what the relay reads the WAL
// with. Not thread safe.
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/core/lsn.h"
#include "libs/pg/conninfo.h"
#include "libs/pg/page_size.h"
#include "libs/pg/raw_session.h"
#include "libs/pg/rows_since.h"

namespace countersign::pg {

struct SystemIdentity {
  std::string system_id;
  int timeline = 0;
  Lsn flushed;  // end of the server's WAL when asked
  auto operator<=>(const SystemIdentity&) const = default;
};

struct Publication {
  std::string name;
  // Rows of partitioned tables come under the names of the partitions, as if they were tables.
  bool sends_partitions = false;
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
  [[nodiscard]] std::vector<Publication> Publications();
  [[nodiscard]] std::optional<Slot> FindSlot(std::string_view name);
  // A permanent slot with plugin pgoutput. Waits for running transactions to end, each for the lock
  // timeout at most, then throws. A publication that is made after its slot is never decoded: check
  // Publications() first.
  void CreateSlot(std::string_view name);

  void DropSlot(std::string_view name);
  // As CreateSlot; from here to EndSnapshot the connection sees the database as it was when the
  // slot began, and only the calls down to there may be made.
  [[nodiscard]] NewSlot CreateSlotAndSnapshot(std::string_view name);
  // The names of its columns. One query at a time; its rows come by Fetch.
  [[nodiscard]] std::vector<std::string> Select(const RowsSince& rows);
  // A page of rows in one round trip; false when there are no more.
  [[nodiscard]] bool Fetch(const std::function<void(const RowValues&)>& on_row);
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
  struct FreeCopy {
    void operator()(char* buffer) const;
  };
  using Rows = RawSession::Rows;
  [[nodiscard]] Rows Query(const std::string& text, const char* doing) const {
    return session_.Query(text, doing);
  }
  [[nodiscard]] static std::string CheckedName(std::string_view name) {
    return RawSession::CheckedName(name);
  }

  RawSession session_;
  PageSize page_size_;  // of the query that is open
  int socket_ = -1;
  std::unique_ptr<char, FreeCopy> buffer_;
};

}  // namespace countersign::pg
