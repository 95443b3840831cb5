#pragma once
// The relay: one thread that reads committed events from PostgreSQL's WAL and hands them to Kafka,
// and confirms a position to PostgreSQL only when Kafka has everything before it. A commit is never
// split: after any fault it resumes at the end of the last transaction that is complete in Kafka.
// Where PostgreSQL gives out no replication rights it reads the tables instead.
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "libs/core/clock.h"
#include "libs/kafka/producer.h"
#include "libs/log/logger.h"
#include "libs/pg/replication.h"
#include "libs/pg/table_reader.h"
#include "services/outbox-relay/control.h"
#include "services/outbox-relay/domain/kafka_transaction.h"
#include "services/outbox-relay/domain/outbox_row.h"
#include "services/outbox-relay/domain/pgoutput.h"
#include "services/outbox-relay/domain/progress.h"
#include "services/outbox-relay/domain/start.h"
#include "services/outbox-relay/inquirer.h"
#include "services/outbox-relay/observer.h"
#include "services/outbox-relay/parking.h"
#include "services/outbox-relay/waiter.h"

namespace countersign::relay {

// What becomes of an event that Kafka refuses for good.
enum class OnRefusal : std::uint8_t {
  kPark,  // it and later ones of its key wait in PostgreSQL; the stream goes on
  kHold,  // everything behind it waits
};

struct RelaySettings {
  pg::ConnectionSettings database{.conninfo = {},
                                  .application_name = "countersign-relay",
                                  // Bounds what the making of the slot waits for.
                                  .lock_timeout = std::chrono::seconds{5},
                                  .statement_timeout = std::chrono::milliseconds{0},
                                  .network_timeout = std::chrono::seconds{15}};
  Source source = Source::kWal;
  // With the table source the name of the lock and of the checkpoints only.
  std::string slot = "countersign";
  std::vector<std::string> publications = {"countersign_auth", "countersign_otp"};  // kWal
  std::vector<std::string> tables = {"auth.event_log", "otp.event_log"};            // kTable
  // How seldom tables are read in which nothing happens.
  std::chrono::milliseconds poll_max{50};
  ColumnNames columns;
  std::string source_prefix = "/countersign/";
  // A relay that gives PostgreSQL no sign of life for so long is cut off, so that another can take
  // over: it may be frozen, or its machine gone.
  std::chrono::milliseconds takeover_after{2000};
  Promise promise = Promise::kDeduplicated;
  // Without checkpoints always kNow: a start that is cut short could not be told from one that was
  // not.
  FirstStart first_start = FirstStart::kEverything;
  OnRefusal on_refusal = OnRefusal::kPark;
  // A missing topic may be made yet: so long everything waits before the key is parked.
  std::chrono::milliseconds park_after{10'000};
  std::string checkpoint_topic = "countersign.relay.checkpoints";
  kafka::ProducerSettings kafka;
};

class Relay {
 public:
  Relay(RelaySettings settings, const log::Logger& logger, Observer& observer);
  ~Relay();

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
  // What came since the last checkpoint is read again at the next start.
  static constexpr std::chrono::milliseconds kCheckpointInterval{500};
  // How often an operator's wishes are asked for, while a key is parked.
  static constexpr std::chrono::milliseconds kParkingPoll{1'000};
  // What a checkpoint's delivery is known by; no transaction is. The second: whoever sent it waits
  // for it.
  static constexpr std::uint64_t kCheckpointToken = UINT64_MAX;
  static constexpr std::uint64_t kAwaitedToken = UINT64_MAX - 1;
  using SteadyTime = std::chrono::steady_clock::time_point;
  // An event that Kafka did not take yet. Its views point into the stream's last message, which
  // stays until the next one is read, and none is read before this one is gone.
  struct Held {
    std::uint32_t table = 0;
    SteadyTime since;
    SteadyTime retry_at;
    SteadyTime log_at;
    bool queue_full = false;
  };
  // How far the tables were read.
  struct TableCursor {
    std::unique_ptr<pg::TableReader> reader;
    std::vector<pg::TableName> tables;
    std::string snapshot{};           // all that is visible in it was read; empty: nothing
    std::optional<Instant> polled{};  // of the server's clock
    std::chrono::milliseconds pause{0};
    SteadyTime asked{};  // the reader's last sign of life
    SteadyTime slow_told{};
  };
  struct Obstacle {
    std::string why{};
    std::string_view event_id{};
    std::string_view topic{};
    std::string trace_id{};
    bool queue_full = false;
    bool whole_topic = false;  // what is refused is not this event alone
    bool may_pass = false;     // it is worth waiting for
  };

  // An event that the cluster refused, perhaps only for what was in the same request.
  struct Suspect {
    std::string event_id;
    std::string why;
    bool topic = false;          // the whole topic is refused
    bool refused_alone = false;  // so it is its own fault
    // From the suspect on so many events are sent one by one: as many as may have been in the
    // request.
    std::size_t to_send_alone = 0;
    bool reached = false;
    std::string alone{};  // the one on its way
  };
  // Where a key is being released: what Kafka has of it already, and what came now.
  struct Releasing {
    Lane lane;
    SeenEvents seen;
    SeenEvents brought;
    bool parked_again = false;
  };

  void Session(const std::stop_token& stop);
  // relay_control.cc
  void Serve(const std::stop_token& stop);
  [[nodiscard]] bool StandAside(const std::stop_token& stop);
  void MindWishes();
  // It was asked to read no further, and is in no transaction.
  [[nodiscard]] bool Rests() const {
    return !control_.MayRead() && !progress_.acknowledgements().HasOpen();
  }
  [[nodiscard]] bool AwaitResume(const std::stop_token& stop);
  // False if it was stopped before it was its turn.
  [[nodiscard]] bool Connect(const std::stop_token& stop);
  // Waits while another relay has the lock; false if it was stopped meanwhile.
  [[nodiscard]] bool AwaitLock(const std::function<bool()>& try_lock, const std::stop_token& stop);
  // Empty if it was stopped meanwhile.
  [[nodiscard]] std::unique_ptr<pg::ReplicationConnection> TakeOver(const std::stop_token& stop);
  void RequirePublications(pg::ReplicationConnection& connection) const;
  [[nodiscard]] Start Decide(pg::ReplicationConnection& connection,
                             const pg::SystemIdentity& server, const std::optional<pg::Slot>& slot,
                             const std::optional<Checkpoint>& checkpoint) const;
  [[nodiscard]] std::optional<Checkpoint> OwnCheckpoint();
  [[nodiscard]] pg::Slot MakeSlot(pg::ReplicationConnection& connection) const;
  [[nodiscard]] Resumption Resume(const std::optional<Checkpoint>& checkpoint,
                                  const pg::SystemIdentity& server, Lsn slot_at);
  [[nodiscard]] Resumption ResumeInProcess(const pg::SystemIdentity& server, Lsn slot_at) const;
  void CollectTails(Resumption& resumption, Lsn after);

  // Relays what the tables have and Kafka has not, and makes the slot where that ends. False if it
  // was stopped: the next start begins the rebuilding again.
  [[nodiscard]] bool Rebuild(pg::ReplicationConnection& connection, Checkpoint checkpoint,
                             const std::stop_token& stop);
  // Before anything is done that would make the checkpoint before it untrue.
  void WriteAhead(const Checkpoint& checkpoint);
  [[nodiscard]] bool RelayTable(pg::ReplicationConnection& connection, const pg::RowsSince& rows,
                                const std::stop_token& stop);
  [[nodiscard]] bool RelayRow(const std::vector<Field>& fields, const std::stop_token& stop);

  void DescribeReadTable(const pg::TableName& table, const std::vector<std::string>& columns);

  // The table source: the tables' difference between two snapshots, again and again.
  void FollowTables(const std::stop_token& stop);
  [[nodiscard]] bool OpenTables(const std::stop_token& stop);
  [[nodiscard]] Start DecideForTables(const pg::SystemIdentity& server, const pg::Moment& now,
                                      const std::optional<Checkpoint>& checkpoint) const;
  [[nodiscard]] Resumption ResumeTables(const std::optional<Checkpoint>& checkpoint);
  [[nodiscard]] Resumption BeginTablesNow(const pg::Moment& now, const std::stop_token& stop);
  void RefuseRowsFromElsewhere();
  [[nodiscard]] std::vector<pg::RowsSince> SinceCursor() const;
  // True if there were rows.
  [[nodiscard]] bool RelayBatch(const std::stop_token& stop);
  // The rows of one of the queries that the reader has open; false if it was stopped.
  [[nodiscard]] bool RelayRows(pg::TableReader& reader, std::size_t query,
                               const pg::TableName& table, const std::stop_token& stop);
  [[nodiscard]] bool LookAtTheServer();
  void Rest(const std::stop_token& stop, SteadyTime until);
  // What the server must hear from time to time, or it hangs up.
  void KeepSession();

  void LookInto(std::string_view topic);
  void Stream(const std::stop_token& stop);
  void Disconnect();
  void NameTheRefused();
  void DropProducer();
  void Pause(const std::stop_token& stop, std::chrono::milliseconds limit);
  [[nodiscard]] bool AwaitDeliveries(const std::stop_token& stop, SteadyTime deadline);
  void Stop(std::string_view what);

  [[nodiscard]] bool ReadAvailable(const std::stop_token& stop);
  [[nodiscard]] bool EndsHere(const std::stop_token& stop);
  void StayAwake();
  // When this thread last had its turn, which costs nothing to ask while it streams.
  [[nodiscard]] SteadyTime Turn() const { return awake_ ? *awake_ : SteadyTime::clock::now(); }
  void Handle(const pg::Frame& frame);
  void HandleInsert(const Insert& insert);
  [[nodiscard]] bool TryHeld();
  [[nodiscard]] bool TryProduce(const Readable<Table>& table);
  [[nodiscard]] kafka::Produced Produce(const OutboxRow& row, const std::vector<Header>& headers);
  [[nodiscard]] bool Hold(const Obstacle& obstacle);

  void LoadParked();
  [[nodiscard]] bool Waits(const Table& table, const OutboxRow& row) const;
  // Says why in `obstacle`.
  [[nodiscard]] bool IsKnownToBeRefused(const OutboxRow& row, Obstacle& obstacle) const;
  // False if the event must wait until what is on its way is known.
  [[nodiscard]] bool MayGo(std::string_view event_id);
  [[nodiscard]] bool Refuse(const Table& table, const OutboxRow& row, const Obstacle& obstacle);
  [[nodiscard]] bool Park(const Table& table, const OutboxRow& row, const Obstacle& obstacle);
  void SuspectRefused(const kafka::Delivery& delivery);
  void ReleaseWanted(const std::stop_token& stop);
  void ReleaseLane(const Lane& lane, const Parked& parked, const std::stop_token& stop);
  // How far the WAL was written when it was read; empty if it was stopped.
  [[nodiscard]] std::optional<Lsn> RelayLane(pg::RowsSince rows, const std::stop_token& stop);
  [[nodiscard]] SeenEvents SeenOf(const std::string& topic);

  // With delivery: transactional (relay_transaction.cc).
  [[nodiscard]] bool Transactional() const { return settings_.promise == Promise::kTransactional; }
  // False if it was stopped.
  [[nodiscard]] bool FenceOthers(const std::stop_token& stop);
  void BeginKafkaTransaction();
  void EndKafkaTransactionIfDue();
  // For rows of a table, which are no transaction.
  void EndRowsIfDue();
  void CommitWithCheckpoint(SteadyTime deadline = SteadyTime::max());
  void CommitAlone(const Checkpoint& checkpoint);
  void SendInTransaction(const Checkpoint& checkpoint);
  void CommitKafkaTransaction(SteadyTime deadline = SteadyTime::max());
  void AwaitTransaction(SteadyTime deadline);
  void GiveUpKafkaTransaction();

  void WriteCheckpointIfDue();
  [[nodiscard]] kafka::Produced Send(const Checkpoint& checkpoint, std::uint64_t token);
  void TakeSnapshotIfWanted();
  void FinishCheckpoints(SteadyTime deadline);
  void OnDelivery(const kafka::Delivery& delivery);
  void LogRelayed(const kafka::Delivery& delivery);
  void LogRefusal(const kafka::Delivery& delivery);

  void SendStatusIfDue();
  void SendStatus();
  [[nodiscard]] std::chrono::milliseconds UntilNextDuty() const;
  void MakeProducer();

  RelaySettings settings_;
  const log::Logger& logger_;
  Observer& observer_;
  Waiter waiter_;
  Control control_;

  std::optional<kafka::Fault> refused_;  // what the cluster said about our credentials
  std::unique_ptr<kafka::Producer> producer_;
  std::unique_ptr<pg::ReplicationConnection> stream_;
  std::optional<TableCursor> cursor_;  // instead of stream_
  std::optional<pg::SystemIdentity> server_;
  Progress progress_;
  KafkaTransaction transaction_;
  Inquirer inquirer_;
  Parking parking_;
  SteadyTime parking_asked_;
  std::optional<Suspect> suspect_;
  std::map<std::string, std::string, std::less<>> refused_topics_;  // and why
  bool parked_one_ = false;  // so the next pause is a short one
  std::optional<Releasing> releasing_;

  Decoder decoder_;
  HeaderBuilder header_builder_;
  std::map<std::uint32_t, Readable<Table>> tables_;  // by oid, of this connection
  const std::vector<Field>* row_ = nullptr;          // the insert being handled, in decoder_
  SteadyTime row_read_;
  std::optional<Held> held_;
  std::string commit_lsn_;  // of the open transaction, as a header

  Lsn seen_;       // newest position of the server we know of
  Lsn confirmed_;  // as last told to the server
  SteadyTime status_sent_;
  SteadyTime checkpoint_tried_;
  std::optional<SteadyTime> awake_;  // when this thread last had its turn, once it leads
  std::optional<SteadyTime> stopping_since_;
  std::chrono::milliseconds status_interval_{1000};
};

}  // namespace countersign::relay
