// Kafka is silent, broken or away: commits go on, memory is bounded, nothing is confirmed that
// Kafka does not have, and in the end everything is there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "tests/services/outbox-relay/relaying.h"
#include "tests/support/distant_kafka.h"

namespace countersign::relay {
namespace {

using namespace std::chrono_literals;
using support::Eventually;
using support::Topic;

// Of this process.
std::size_t ResidentBytes() {
  std::size_t total = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * 4096;
}

class OutageTest : public RelayTest {
 protected:
  static void SetUpTestSuite() {
    if (!support::Brokers().empty() && !support::ServerConninfo().empty()) {
      distant_ = std::make_unique<support::DistantKafka>();
    }
  }
  static void TearDownTestSuite() { distant_.reset(); }

  void SetUp() override {
    RelayTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    Connect();
    topic_ = std::make_unique<Topic>(1, kafka::TopicConfig{}, Cluster());
  }
  void TearDown() override {
    if (distant_) distant_->network().Hang(false);
    topic_.reset();
    RelayTest::TearDown();
  }
  [[nodiscard]] kafka::ClientSettings Cluster() const override { return distant_->Cluster(); }
  static support::TcpProxy& Network() { return distant_->network(); }
  // Until Kafka has acknowledged the first event, so that the topic is known and settled.
  void WarmUp() {
    AppendNumbers(topic_->name(), 1, 1);
    const Lsn end = Now();
    ASSERT_TRUE(Eventually([&] { return Confirmed() >= end; }));
  }

  inline static std::unique_ptr<support::DistantKafka> distant_;
  std::unique_ptr<Topic> topic_;
};

TEST_F(OutageTest, ConfirmsNothingThatKafkaHasNotAcknowledged) {
  const auto relay = Start();
  WarmUp();
  Network().Hang(true);
  AppendNumbers(topic_->name(), 2, 2);
  const Lsn end = Now();
  AppendNumbers(topic_->name(), 3, 10);
  ASSERT_TRUE(Eventually([&] { return relay->Gauge("relay_in_flight") == 9; }));
  const auto until = std::chrono::steady_clock::now() + 4s;  // longer than between two statuses
  while (std::chrono::steady_clock::now() < until) {
    ASSERT_LT(Confirmed(), end) << "confirmed past an event that is not in Kafka";
    std::this_thread::sleep_for(20ms);
  }
  Network().Hang(false);
  const Lsn all = Now();
  EXPECT_TRUE(Eventually([&] { return Confirmed() >= all; }));
  EXPECT_EQ(Numbers(topic_->Read()), UpTo(10));
}

TEST_F(OutageTest, AnswersKeepalivesAndBoundsItsMemoryWhileKafkaIsSilent) {
  constexpr int kEvents = 40'000;
  constexpr int kBytes = 1000;
  auto settings = MakeSettings();
  settings.takeover_after = 1500ms;
  const auto relay = Start(settings);
  WarmUp();
  const int sender = WalSender();
  Network().Hang(true);
  const std::size_t before = ResidentBytes();
  for (int i = 0; i < 8; ++i) {
    const int first = 2 + i * kEvents / 8;
    AppendNumbers(topic_->name(), first, first + kEvents / 8 - 1, kBytes);
  }
  const auto until = std::chrono::steady_clock::now() + 4s;
  std::size_t most = before;
  while (std::chrono::steady_clock::now() < until) {
    ASSERT_EQ(WalSender(), sender) << "hung up: " << relay->Log();
    most = std::max(most, ResidentBytes());
    std::this_thread::sleep_for(20ms);
  }
  // 40 MB were committed, 16 MiB may be queued. The client library needs as much again for headers.
  EXPECT_LT(relay->Gauge("relay_in_flight") * kBytes, 16.0 * 1024 * 1024);
  EXPECT_GT(relay->Gauge("relay_in_flight") * kBytes, 8.0 * 1024 * 1024);
  RecordProperty("grown_bytes", std::to_string(most - before));
#ifndef __SANITIZE_ADDRESS__  // which keeps freed memory
  EXPECT_LT(most - before, std::size_t{64} * 1024 * 1024);
#endif
  Network().Hang(false);
  EXPECT_EQ(Numbers(topic_->AwaitRecords(kEvents + 1)), UpTo(kEvents + 1));
  EXPECT_EQ(relay->Reconnects("connection_lost"), 0);
}

TEST_F(OutageTest, BrokenConnectionsAndLostAnswersLoseAndDoubleNothing) {
  constexpr int kEvents = 600;
  const auto relay = Start();
  WarmUp();
  for (int i = 2; i <= kEvents; ++i) {
    AppendNumbers(topic_->name(), i, i);
    if (i % 120 == 0) Network().Cut();
    if (i % 120 == 60) Network().LoseNextAnswer();
  }
  const Lsn end = Now();
  EXPECT_TRUE(Eventually([&] { return Confirmed() >= end; })) << relay->Log();
  EXPECT_EQ(Numbers(topic_->Read()), UpTo(kEvents));
}

TEST_F(OutageTest, StartsWithoutKafkaAndBringsEverythingOnceItIsThere) {
  { const auto relay = Start(); }
  Network().Refuse(true);
  AppendNumbers(topic_->name(), 1, 20);
  RunningRelay relay(MakeSettings());
  EXPECT_TRUE(Eventually([&] {
    return relay.Health().find("no kafka broker answers") != std::string::npos;
  })) << relay.Health();
  AppendNumbers(topic_->name(), 21, 40);
  Network().Refuse(false);
  EXPECT_EQ(Numbers(topic_->AwaitRecords(40)), UpTo(40));
  EXPECT_TRUE(Eventually([&] { return relay.Health().empty(); }));
}

TEST_F(OutageTest, StopsInTimeWhileKafkaIsSilentAndTheNextOneLosesNothing) {
  {
    const auto relay = Start();
    WarmUp();
    Network().Hang(true);
    AppendNumbers(topic_->name(), 2, 10);
    ASSERT_TRUE(Eventually([&] { return relay->Gauge("relay_in_flight") == 9; }));
    EXPECT_LT(relay->Stop(), 8s);
  }
  Network().Hang(false);
  const auto relay = Start();
  const Lsn end = Now();
  EXPECT_TRUE(Eventually([&] { return Confirmed() >= end; }));
  EXPECT_EQ(Numbers(FirstOccurrences(topic_->Read())), UpTo(10));
}

// Its database is stopped, killed and started again.
class DatabaseOutageTest : public RelayTest {
 protected:
  static void SetUpTestSuite() {
    if (support::Brokers().empty() || support::ServerConninfo().empty()) return;
    servers_ = std::make_unique<support::PrivateServers>("postgres");
    database_ = std::make_unique<support::Database>(servers_->Value("COUNTERSIGN_TEST_DATABASE"),
                                                    support::Schema::kMigrated);
  }
  static void TearDownTestSuite() {
    database_.reset();
    servers_.reset();
  }
  void SetUp() override {
    RelayTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) Connect();
  }
  [[nodiscard]] pg::ConnectionSettings DatabaseSettings() const override {
    return {.conninfo = Secret<std::string>(database_->conninfo())};
  }

  inline static std::unique_ptr<support::PrivateServers> servers_;
  inline static std::unique_ptr<support::Database> database_;
};

TEST_F(DatabaseOutageTest, OutlivesStopAndKillOfPostgresWithoutLoss) {
  const Topic topic;
  const auto relay = Start();
  int next = 1;
  for (const bool kill : {false, true}) {
    AppendNumbers(topic.name(), next, next + 99);
    next += 100;
    const auto began = std::chrono::steady_clock::now();
    kill ? servers_->Kill("postgres") : servers_->Stop("postgres");
    // A server that stops waits for its walsender: the relay must not make it wait.
    EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
    EXPECT_TRUE(Eventually([&] { return !relay->Health().empty(); }));
    servers_->Start("postgres");
    Connect();
    AppendNumbers(topic.name(), next, next + 99);
    next += 100;
  }
  const Lsn end = Now();
  EXPECT_TRUE(Eventually([&] { return Confirmed() >= end; })) << relay->Log();
  EXPECT_EQ(Numbers(FirstOccurrences(topic.Read())), UpTo(next - 1));
  EXPECT_EQ(relay->Health(), "");
}

// A server that stops answers no question about its standbys any more, but waits for the relay.
TEST_F(DatabaseOutageTest, AStopOfPostgresIsNotHeldUpByACommitThatWaitsForAStandby) {
  const Topic topic;
  const std::string standby = slot_ + "_standby";
  EXPECT_EQ(
      Scalar<int>("SELECT 1 FROM pg_create_physical_replication_slot('" + standby + "', true)"), 1);
  auto settings = MakeSettings();
  settings.wait_for_standbys = {standby};
  const auto relay = Start(settings);
  AppendNumbers(topic.name(), 1, 10);
  ASSERT_TRUE(Eventually([&] { return relay->Gauge("relay_awaits_standbys") == 1; }));
  const auto began = std::chrono::steady_clock::now();
  servers_->Stop("postgres");
  EXPECT_LT(std::chrono::steady_clock::now() - began, 15s);
  servers_->Start("postgres");
  Connect();
  EXPECT_GE(relay->Reconnects("standbys"), 1);
  static_cast<void>(Scalar<int>("SELECT count(pg_drop_replication_slot('" + standby + "'))::int"));
}

}  // namespace
}  // namespace countersign::relay
