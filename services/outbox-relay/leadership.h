#pragma once
// The connection of the leader to PostgreSQL: the lock belongs to it. So this is also what the
// server must hear from time to time, or it hangs up and another relay leads.
#include <chrono>
#include <memory>
#include <optional>

#include "libs/core/lsn.h"
#include "libs/pg/replication.h"
#include "libs/pg/table_reader.h"
#include "services/outbox-relay/domain/progress.h"

namespace countersign::relay {

// One connection after the other, each a stream or a reader of tables. Not thread safe. What asks
// the server throws pg::ReplicationFault.
class Leadership {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  // Confirmations are gathered this long: a status costs the server a wake-up.
  static constexpr std::chrono::milliseconds kConfirmInterval{100};

  // The server takes a leader for dead that is silent for `takeover_after`.
  Leadership(std::chrono::milliseconds takeover_after, const Progress& progress);

  // The connection has the lock. The stream begins at `from`.
  void Stream(std::unique_ptr<pg::ReplicationConnection> stream, const pg::SystemIdentity& server,
              Lsn from);
  void ReadTables(std::unique_ptr<pg::TableReader> reader, const pg::SystemIdentity& server);
  // From now on StayAwake throws if this thread had no turn for too long.
  void BeAwake();
  void End();

  // Null without one.
  [[nodiscard]] pg::ReplicationConnection* stream() const { return stream_.get(); }
  [[nodiscard]] pg::TableReader* reader() const { return reader_.get(); }
  // A question was given up in the middle: nothing more can be asked.
  void GiveUpReader() { reader_.reset(); }
  // The server answered a question of the reader.
  void Answered() { asked_ = std::chrono::steady_clock::now(); }

  // Whose server's positions are meant; stays when the connection ends.
  void Of(const pg::SystemIdentity& server) { server_ = server; }
  [[nodiscard]] const std::optional<pg::SystemIdentity>& server() const { return server_; }
  // The newest position of the server that is known.
  void Saw(Lsn position);
  [[nodiscard]] Lsn seen() const { return seen_; }
  // What is confirmed, as last told to the server.
  [[nodiscard]] Lsn told() const { return told_; }

  // A sign of life, if one is due.
  void Keep();
  // Of a stream; without one nothing.
  void SendStatusIfDue();
  // There must be a stream.
  void SendStatus();
  [[nodiscard]] SteadyTime StatusDue() const;
  // The longest time between two signs of life.
  [[nodiscard]] std::chrono::milliseconds interval() const { return takeover_after_ / 3; }
  void StayAwake();
  // When this thread last had its turn, which costs nothing to ask while it streams.
  [[nodiscard]] SteadyTime Turn() const { return awake_ ? *awake_ : SteadyTime::clock::now(); }

 private:
  const std::chrono::milliseconds takeover_after_;
  const Progress& progress_;

  std::unique_ptr<pg::ReplicationConnection> stream_;
  std::unique_ptr<pg::TableReader> reader_;
  std::optional<pg::SystemIdentity> server_;
  Lsn seen_;
  Lsn told_;
  SteadyTime status_sent_;
  SteadyTime asked_{};               // the reader's last sign of life
  std::optional<SteadyTime> awake_;  // when this thread last had its turn, once it leads
};

}  // namespace countersign::relay
