#pragma once
// A database of its own for each test: what reads whole tables would find the rows of the others.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "services/outbox-relay/checkpoint_log.h"
#include "services/outbox-relay/domain/snapshot.h"
#include "tests/services/outbox-relay/relaying.h"

namespace countersign::relay {

class OwnDatabaseTest : public RelayTest {
 protected:
  void SetUp() override {
    RelayTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    database_ =
        std::make_unique<support::Database>(support::ServerConninfo(), support::Schema::kMigrated);
    Connect();
  }
  void TearDown() override {
    if (db_) RelayTest::TearDown();
    db_.reset();
    database_.reset();
  }
  [[nodiscard]] pg::ConnectionSettings DatabaseSettings() const override {
    pg::ConnectionSettings settings;
    settings.conninfo = Secret<std::string>(database_->conninfo());
    return settings;
  }
  [[nodiscard]] RelaySettings FromTheFirstEvent() const {
    auto settings = MakeSettings();
    settings.first_start = FirstStart::kEverything;
    return settings;
  }
  [[nodiscard]] Checkpoint Newest() const {
    TailReader reader(Cluster());
    return ReadCheckpoint(reader, checkpoints_->name(), slot_).value_or(Checkpoint{});
  }
  // Until a checkpoint says that everything committed until now is in Kafka.
  void AwaitSettled(bool rebuilding = false) {
    // Of this database: others of the same server go on meanwhile.
    const auto newest_writer =
        Scalar<std::int64_t>("SELECT coalesce(max(xid::text::bigint), 0) FROM auth.event_log");
    ASSERT_TRUE(support::Eventually([&] {
      const auto newest = Newest();
      const auto snapshot = ReadSnapshot(newest.settled.value_or(SettledPoint{}).snapshot);
      return snapshot && newest.rebuilding == rebuilding &&
             static_cast<std::int64_t>(snapshot->xmax) > newest_writer;
    })) << ToJson(Newest());
  }

  std::unique_ptr<support::Database> database_;
};

}  // namespace countersign::relay
