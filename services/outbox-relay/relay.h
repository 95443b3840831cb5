#pragma once
// The relay: one thread that reads committed events from PostgreSQL's WAL and hands them to Kafka,
// and confirms a position to PostgreSQL only when Kafka has everything before it. A commit is never
// split: after any fault it resumes at the end of the last transaction that is complete in Kafka.
// Where PostgreSQL gives out no replication rights it reads the tables instead.
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/lsn.h"
#include "libs/log/logger.h"
#include "libs/pg/replication.h"
#include "libs/pg/table_reader.h"
#include "services/outbox-relay/checkpoints.h"
#include "services/outbox-relay/control.h"
#include "services/outbox-relay/domain/pgoutput.h"
#include "services/outbox-relay/domain/progress.h"
#include "services/outbox-relay/domain/refusals.h"
#include "services/outbox-relay/inquirer.h"
#include "services/outbox-relay/kafka_writer.h"
#include "services/outbox-relay/lanes.h"
#include "services/outbox-relay/leadership.h"
#include "services/outbox-relay/observer.h"
#include "services/outbox-relay/parking.h"
#include "services/outbox-relay/relay_settings.h"
#include "services/outbox-relay/row_sender.h"
#include "services/outbox-relay/standby_watch.h"
#include "services/outbox-relay/table_cursor.h"
#include "services/outbox-relay/waiter.h"

namespace countersign::relay {

class Relay {
 public:
  Relay(RelaySettings settings, const log::Logger& logger, Observer& observer);

  // Tries both servers once, so that wrong credentials show at the start. Servers that are away are
  // no fault. Throws pg::ReplicationRefused, kafka::SettingsFault or a kafka::Fault that
  // IsAuthentication.
  void CheckCredentials();

  // Relays until it is stopped; then reads the transaction it is in to its end, hands over what is
  // in flight, confirms it and returns, within kStopLimit and a second. Faults of both servers are
  // logged, counted and outlived.
  void Run(const std::stop_token& stop);

  static constexpr std::chrono::milliseconds kStopLimit{6000};

  // What an operator wants of it; thread safe.
  [[nodiscard]] Control& control() { return control_; }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  // A transaction that a standby may lack.
  struct Awaited {
    Begin begin;
    SteadyTime since;
    bool told = false;
  };

  // Leading (relay.cc, relay_control.cc, relay_resume.cc).
  // One try to lead.
  void Serve(const std::stop_token& stop);
  // False if it was stopped meanwhile.
  [[nodiscard]] bool StandAside(const std::stop_token& stop);
  void Session(const std::stop_token& stop);
  // Waits while another relay has the lock; false if it was stopped meanwhile.
  [[nodiscard]] bool AwaitLock(const std::function<bool()>& try_lock, const std::stop_token& stop);
  void Stop(std::string_view what);
  void FinishCheckpoints(SteadyTime deadline);
  void Disconnect();
  void MindWishes();
  [[nodiscard]] bool AwaitResume(const std::stop_token& stop);
  [[nodiscard]] bool AwaitDeliveries(const std::stop_token& stop, SteadyTime deadline);

  // The WAL source (relay_resume.cc, relay.cc).
  // False if it was stopped before it was its turn.
  [[nodiscard]] bool Connect(const std::stop_token& stop);
  void Stream(const std::stop_token& stop);
  [[nodiscard]] bool ReadAvailable(const std::stop_token& stop);
  void Handle(const pg::Frame& frame);
  // It was asked to read no further, and is in no transaction.
  [[nodiscard]] bool Rests() const {
    return !control_.MayRead() && !progress_.acknowledgements().HasOpen();
  }
  [[nodiscard]] bool EndsHere(const std::stop_token& stop);
  [[nodiscard]] std::chrono::milliseconds UntilNextDuty() const;

  // The table source: the tables' difference between two snapshots, again and again
  // (relay_table.cc).
  void FollowTables(const std::stop_token& stop);
  [[nodiscard]] bool OpenTables(const std::stop_token& stop);
  [[nodiscard]] Resumption BeginTablesNow(const pg::Moment& now, const std::stop_token& stop);
  // True if there were rows.
  [[nodiscard]] bool RelayBatch(const std::stop_token& stop);
  [[nodiscard]] bool LookAtTheServer();
  void Rest(const std::stop_token& stop, SteadyTime until);
  // The rows of one of the queries that the reader has open; false if it was stopped.
  [[nodiscard]] bool RelayRows(pg::TableReader& reader, std::size_t query,
                               const pg::TableName& table, const std::stop_token& stop);
  [[nodiscard]] bool RelayRow(const std::vector<Field>& fields, const std::stop_token& stop);

  // Relays what the tables have and Kafka has not, and makes the slot where that ends. False if it
  // was stopped: the next start begins the rebuilding again (relay_rebuild.cc).
  [[nodiscard]] bool Rebuild(pg::ReplicationConnection& connection, Checkpoint checkpoint,
                             const std::stop_token& stop);
  [[nodiscard]] bool RelayTable(pg::ReplicationConnection& connection, const pg::RowsSince& rows,
                                const std::stop_token& stop);

  // What a failover could take back waits (relay_standbys.cc).
  [[nodiscard]] bool StandbysHave(Lsn position);
  void HandleBegin(const Begin& begin);
  [[nodiscard]] bool TryAwaited();
  void TellOfStandbys(Awaited& awaited);
  void EndWait(const Awaited& awaited);
  void PassWal(Lsn end);
  [[nodiscard]] bool AwaitStandbys(Lsn written, const std::stop_token& stop);

  // Parked keys that an operator wants back (relay_release.cc).
  void ReleaseWanted(const std::stop_token& stop);
  void ReleaseLane(const Lane& lane, const Parked& parked, const std::stop_token& stop);
  // How far the WAL was written when it was read; empty if it was stopped.
  [[nodiscard]] std::optional<Lsn> RelayLane(pg::RowsSince rows, const std::stop_token& stop);
  [[nodiscard]] SeenEvents SeenOf(const std::string& topic);

  const RelaySettings settings_;
  const log::Logger& logger_;
  Observer& observer_;
  Waiter waiter_;
  Control control_;

  Progress progress_;
  Leadership leadership_;
  Refusals refusals_;
  KafkaWriter writer_;
  Inquirer inquirer_;
  Checkpoints checkpoints_;
  Lanes lanes_;
  RowSender rows_;

  Decoder decoder_;  // with the WAL source
  std::optional<StandbyWatch> standbys_;
  std::optional<Awaited> awaited_;
  std::optional<Lsn> passing_;  // the end of WAL that is not ours and that a standby may lack
  std::optional<TableCursor> cursor_;  // with the table source, while it leads
  std::optional<SteadyTime> stopping_since_;
};

}  // namespace countersign::relay
