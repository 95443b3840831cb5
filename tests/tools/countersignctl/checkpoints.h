#pragma once
// A slot's name and a checkpoint topic of the test's own, and checkpoints as a relay writes them.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/core/hex.h"
#include "libs/core/random.h"
#include "libs/kafka/producer.h"
#include "libs/pg/replication.h"
#include "services/outbox-relay/checkpoint_log.h"
#include "tests/support/database.h"
#include "tests/support/kafka.h"
#include "tests/support/owner.h"
#include "tests/tools/countersignctl/ctl_run.h"

namespace countersign::ctl {

class CheckpointTest : public support::PgTest {
 protected:
  void SetUp() override {
    PgTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (support::Brokers().empty()) GTEST_SKIP() << "COUNTERSIGN_TEST_KAFKA is not set";
    SystemRandom random;
    slot_ = "ctl_" + ToHex(random.Bytes(6));
    topic_ = std::make_unique<support::Topic>(1, kafka::TopicConfig{{"cleanup.policy", "compact"}});
    auto settings = Settings();
    // A slot waits for every transaction that runs on the server.
    settings.lock_timeout = settings.statement_timeout = std::chrono::seconds(30);
    owner_ = std::make_unique<support::Owner>(settings);
  }
  void TearDown() override {
    if (!owner_) return;
    owner_->Run(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1",
        slot_);
  }

  void MakeSlot() {
    owner_->Run("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", slot_);
  }
  [[nodiscard]] std::string Snapshot() {
    return owner_->One<std::string>("SELECT pg_current_snapshot()::text");
  }
  // What a relay would write that has brought everything until now.
  [[nodiscard]] relay::Checkpoint GoodCheckpoint() {
    const auto server = pg::ReplicationConnection(Settings()).Identify();
    return {.system_id = server.system_id,
            .timeline = server.timeline,
            .position = server.flushed,
            .offsets = {{"auth.log", {7, relay::kUnknownOffset, 9}}},
            .settled = relay::SettledPoint{.snapshot = Snapshot(), .offsets = {{"auth.log", {7}}}}};
  }
  void Write(const relay::Checkpoint& checkpoint) const { WriteRecord(ToJson(checkpoint)); }
  void WriteRecord(const std::string& value) const { WriteRecord(slot_, value); }
  void WriteRecord(const std::string& key, const std::string& value) const {
    kafka::ProducerSettings settings;
    settings.client = support::Cluster();
    kafka::Producer producer(settings);
    kafka::Headers headers(0);
    ASSERT_EQ(producer.Produce({.topic = topic_->name(), .key = key, .value = value}, headers),
              kafka::Produced::kQueued);
    ASSERT_TRUE(producer.Flush(std::chrono::seconds(10), [](const kafka::Delivery&) {}));
  }
  [[nodiscard]] std::optional<relay::Checkpoint> Newest(const std::string& slot) const {
    relay::TailReader reader(support::Cluster());
    return relay::ReadCheckpoint(reader, topic_->name(), slot);
  }
  [[nodiscard]] std::optional<relay::Checkpoint> Newest() const { return Newest(slot_); }

  // On this slot and topic.
  [[nodiscard]] Told Ctl(std::vector<std::string> words, std::istream* terminal = nullptr) const {
    words.insert(words.end(), {"--slot", slot_, "--checkpoint-topic", topic_->name()});
    return RunCtl(words, {{"DATABASE_URL", Conninfo()}, {"KAFKA_BROKERS", support::Brokers()}},
                  terminal);
  }

  std::string slot_;
  std::unique_ptr<support::Topic> topic_;
  std::unique_ptr<support::Owner> owner_;
};

}  // namespace countersign::ctl
