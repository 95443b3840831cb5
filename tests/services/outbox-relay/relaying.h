#pragma once
// A relay in this process, between a real database and a real Kafka.
#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "libs/core/clock.h"
#include "libs/core/hex.h"
#include "libs/core/lsn.h"
#include "libs/core/random.h"
#include "libs/log/logger.h"
#include "libs/metrics/registry.h"
#include "libs/pg/connection.h"
#include "services/outbox-relay/observer.h"
#include "services/outbox-relay/relay.h"
#include "tests/support/database.h"
#include "tests/support/kafka.h"
#include "tests/support/log_sink.h"

namespace countersign::relay {

// Runs from its construction to its destruction.
class RunningRelay {
 public:
  explicit RunningRelay(RelaySettings settings)
      : logger_("relay", log::Level::kInfo, sink_.fd()),
        observer_(registry_, clock_),
        relay_(std::move(settings), logger_, observer_),
        thread_([this](const std::stop_token& stop) { relay_.Run(stop); }) {}
  ~RunningRelay() {
    if (testing::Test::HasFailure()) std::cerr << "the relay of the failed test said:\n" << Log();
  }
  RunningRelay(const RunningRelay&) = delete;
  RunningRelay& operator=(const RunningRelay&) = delete;

  [[nodiscard]] std::string Health() const { return observer_.Health(); }
  [[nodiscard]] Control& control() { return relay_.control(); }
  [[nodiscard]] const Observer& observer() const { return observer_; }
  [[nodiscard]] const log::Logger& logger() const { return logger_; }
  [[nodiscard]] std::string Log() const { return sink_.Text(); }
  [[nodiscard]] double Gauge(const std::string& name) {
    return registry_.AddGauge(name, "").Value();
  }
  [[nodiscard]] double Counter(const std::string& name) {
    return registry_.AddCounter(name, "").Value();
  }
  // What the alarm of docs/operations.md looks at.
  [[nodiscard]] double LagSeconds() const { return Shown("relay_lag_seconds").value_or(0); }
  // A series with its labels as a scrape sees it; empty if there is none.
  [[nodiscard]] std::optional<double> Shown(const std::string& series) const {
    const std::string page = registry_.Text();
    const auto at = page.find("\n" + series + " ");
    if (at == std::string::npos) return std::nullopt;
    return std::stod(page.substr(at + series.size() + 2));
  }
  [[nodiscard]] double Reconnects(const std::string& cause) {
    return registry_.AddCounter("relay_reconnects_total", "", {{"cause", cause}}).Value();
  }
  // As SIGTERM does; returns how long it took.
  std::chrono::nanoseconds Stop() {
    const auto began = std::chrono::steady_clock::now();
    thread_.request_stop();
    thread_.join();
    return std::chrono::steady_clock::now() - began;
  }

 private:
  tests::LogSink sink_;
  log::Logger logger_;
  SystemClock clock_;
  metrics::Registry registry_;
  Observer observer_;
  Relay relay_;
  std::jthread thread_;
};

struct Event {
  std::string topic;
  std::string key = "k";
  std::string payload = "{}";
  std::string headers = "{}";
  long seq = 1;
  std::string schema = "auth";
};

class RelayTest : public support::PgTest {
 protected:
  void SetUp() override {
    PgTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (support::Brokers().empty()) GTEST_SKIP() << "COUNTERSIGN_TEST_KAFKA is not set";
    SystemRandom random;
    slot_ = "relay_" + ToHex(random.Bytes(6));
    checkpoints_ = std::make_unique<support::Topic>(
        1, kafka::TopicConfig{{"cleanup.policy", "compact"}}, Cluster());
  }
  void TearDown() override {
    if (!slot_.empty()) DropSlot();
  }

  // The database of the tests; another one if a test has its own.
  [[nodiscard]] virtual pg::ConnectionSettings DatabaseSettings() const { return Settings(); }
  [[nodiscard]] virtual kafka::ClientSettings Cluster() const { return support::Cluster(); }

  [[nodiscard]] RelaySettings MakeSettings() const {
    RelaySettings settings;
    settings.database.conninfo = DatabaseSettings().conninfo;
    settings.slot = slot_;
    settings.checkpoint_topic = checkpoints_->name();
    // The tables are those of all tests.
    settings.first_start = FirstStart::kNow;
    settings.on_refusal = OnRefusal::kHold;
    settings.kafka.client = Cluster();
    return settings;
  }
  // A relay that streams already, so that nothing written from now on escapes its slot.
  [[nodiscard]] std::unique_ptr<RunningRelay> Start() { return Start(MakeSettings()); }
  [[nodiscard]] std::unique_ptr<RunningRelay> Start(RelaySettings settings) {
    auto relay = std::make_unique<RunningRelay>(std::move(settings));
    // A slot that is only being made has a walsender, too.
    EXPECT_TRUE(support::Eventually([&] {
      return relay->Log().find("\"streaming\"") != std::string::npos;
    })) << relay->Log();
    return relay;
  }

  void Append(const Event& event) { AppendIn(*db_, event); }
  static void AppendIn(pg::Connection& db, const Event& event) {
    const std::string sql = "INSERT INTO " + event.schema +
                            ".event_log (event_id, topic, key, type, seq, payload, headers) VALUES "
                            "(gen_random_uuid(), $1, $2, 'test.type', $3, $4::json, $5::json)";
    const std::string name = "append_" + event.schema;
    db.Execute({name, sql}, event.topic, event.key, event.seq, event.payload, event.headers);
  }
  // Numbers as payloads, all in one transaction.
  void AppendNumbers(const std::string& topic, int first, int last, int padding = 0) {
    constexpr pg::Query kNumbers{
        "numbers",
        "INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload) SELECT "
        "gen_random_uuid(), $1, 'k', 'test.type', n, to_json(lpad(n::text, $4, '0')) FROM "
        "generate_series($2::int, $3::int) n"};
    db_->Execute(kNumbers, topic, first, last, std::max<int>(padding, 9));
  }

  // The only value of a query.
  template <typename T>
  [[nodiscard]] T Scalar(const std::string& sql) const {
    const std::string name = "scalar" + std::to_string(std::hash<std::string>()(sql));
    return db_->Execute({name, sql}).Only().Get<T>(0);
  }
  // Process id of the walsender of our slot, 0 if nobody streams.
  [[nodiscard]] int WalSender() const {
    return Scalar<int>(
        "SELECT coalesce(max(active_pid), 0) FROM pg_replication_slots WHERE "
        "slot_name = '" +
        slot_ + "'");
  }
  [[nodiscard]] Lsn Confirmed() const {
    return *ParseLsn(
        Scalar<std::string>("SELECT coalesce(max(confirmed_flush_lsn)::text, '0/0') "
                            "FROM pg_replication_slots WHERE slot_name = '" +
                            slot_ + "'"));
  }
  // The end of the WAL: behind everything committed until now.
  [[nodiscard]] Lsn Now() const {
    return *ParseLsn(Scalar<std::string>("SELECT pg_current_wal_insert_lsn()::text"));
  }
  void DropSlot() const {
    EXPECT_TRUE(support::Eventually([&] { return WalSender() == 0; }));
    static_cast<void>(
        Scalar<int>("SELECT count(pg_drop_replication_slot(slot_name))::int FROM "
                    "pg_replication_slots WHERE slot_name = '" +
                    slot_ + "'"));
  }
  // The numbers that AppendNumbers wrote, in the order of the topic.
  [[nodiscard]] static std::vector<int> Numbers(const std::vector<support::Record>& records) {
    std::vector<int> numbers;
    numbers.reserve(records.size());
    for (const auto& record : records) numbers.push_back(std::stoi(record.value.substr(1)));
    return numbers;
  }
  [[nodiscard]] static std::vector<int> UpTo(int last) {
    std::vector<int> numbers;
    for (int i = 1; i <= last; ++i) numbers.push_back(i);
    return numbers;
  }
  // Without what came again: at-least-once is kept in order by first occurrences.
  [[nodiscard]] static std::vector<support::Record> FirstOccurrences(
      const std::vector<support::Record>& records) {
    std::set<std::string> seen;
    std::vector<support::Record> first;
    for (const auto& record : records) {
      if (seen.insert(record.Header("ce_id")).second) first.push_back(record);
    }
    return first;
  }
  // Until the database may be asked (again).
  void Connect() {
    ASSERT_TRUE(support::Eventually([&] {
      try {
        auto settings = DatabaseSettings();
        settings.statement_timeout = std::chrono::seconds(60);
        db_ = std::make_unique<pg::Connection>(settings);
        return true;
      } catch (const pg::Unavailable&) {
        return false;
      }
    }));
  }

  std::string slot_;
  std::unique_ptr<support::Topic> checkpoints_;
  std::unique_ptr<pg::Connection> db_;
};

}  // namespace countersign::relay
