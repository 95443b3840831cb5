#pragma once
// A libpq connection for what pqxx cannot do: the walsender's protocol, and several statements in
// one round trip. Part of this library's inside. Not thread safe.
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

class RawSession {
 public:
  enum class Protocol { kOrdinary, kReplication };
  struct Clear {
    void operator()(pg_result* result) const;
  };
  using Rows = std::unique_ptr<pg_result, Clear>;
  // Called at least every 100 ms while the server has not answered; false: the answer is not
  // wanted any more.
  using OnWait = std::function<bool()>;

  // Waits for at most the connect timeout. Throws ReplicationFault, as everything below.
  RawSession(const ConnectionSettings& settings, Protocol protocol);
  ~RawSession();
  RawSession(const RawSession&) = delete;
  RawSession& operator=(const RawSession&) = delete;

  [[nodiscard]] pg_conn* get() const { return connection_.get(); }
  void Close() { connection_.reset(); }

  [[nodiscard]] Rows Query(const std::string& text, const char* doing) const;
  // One or more statements, and the answer of each. When nobody wants it any more the server is
  // asked to stop, and the fault's cause is "stopped".
  [[nodiscard]] std::vector<Rows> Query(const std::string& text, const char* doing,
                                        const OnWait& on_wait) const;
  // At most one connection has the lock of that name, until it ends; false: another one has it.
  [[nodiscard]] bool TryLock(std::string_view name) const;

  [[nodiscard]] std::string Quoted(std::string_view identifier) const;
  [[nodiscard]] std::string Literal(std::string_view text) const;
  // Of a slot, a publication or a lock: 1 to 63 of [a-zA-Z0-9_], or ReplicationRefused.
  [[nodiscard]] static std::string CheckedName(std::string_view name);
  // What libpq says in one line.
  [[nodiscard]] static std::string Line(const char* text);
  // Of an answer, or without one of the connection.
  [[noreturn]] void Throw(const char* doing, const pg_result* result) const;

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  void AwaitInput(const char* doing, const OnWait& on_wait) const;

  std::unique_ptr<pg_conn, Finish> connection_;
};

}  // namespace countersign::pg
