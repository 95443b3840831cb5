// delivery: transactional: events and checkpoints become visible together, and nobody who was shut
// out can make anything visible.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libs/kafka/producer.h"
#include "services/outbox-relay/checkpoint_log.h"
#include "tests/services/outbox-relay/own_database.h"

namespace countersign::relay {
namespace {

using namespace std::chrono_literals;
using support::Eventually;
using support::Topic;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string kTooLarge = "\"" + std::string(2'000'000, 'x') + "\"";

class TransactionalTest : public OwnDatabaseTest {
 protected:
  [[nodiscard]] RelaySettings Transactional() const {
    auto settings = MakeSettings();
    settings.promise = Promise::kTransactional;
    return settings;
  }
  [[nodiscard]] RelaySettings TransactionalAndParking() const {
    auto settings = Transactional();
    settings.on_refusal = OnRefusal::kPark;
    settings.park_after = 500ms;
    return settings;
  }
  // A producer that takes the name of our relay, as another one of its slot does.
  [[nodiscard]] std::unique_ptr<kafka::Producer> Usurper() const {
    return TransactionalProducer(checkpoints_->name() + "/" + slot_);
  }
  [[nodiscard]] std::unique_ptr<kafka::Producer> TransactionalProducer(
      const std::string& name) const {
    kafka::ProducerSettings settings;
    settings.client = Cluster();
    settings.transactional_id = name;
    auto producer = std::make_unique<kafka::Producer>(settings);
    EXPECT_TRUE(Eventually([&] { return producer->TryFenceOthers(1s); }));
    return producer;
  }
  static void ProduceInTransaction(kafka::Producer& producer, const std::string& topic,
                                   const std::string& key, const std::string& value) {
    producer.BeginTransaction();
    kafka::Headers headers;
    ASSERT_EQ(producer.Produce({.topic = topic, .key = key, .value = value, .token = 0}, headers),
              kafka::Produced::kQueued);
    ASSERT_TRUE(producer.Flush(10s, [](const auto&) {}));
  }
  void AwaitConfirmed() {
    const Lsn end = Now();
    ASSERT_TRUE(Eventually([&] { return Confirmed() >= end; }));
  }
  [[nodiscard]] long ParkedKeys() const {
    return Scalar<long>("SELECT count(*) FROM relay.parked WHERE slot = '" + slot_ + "'");
  }
  void Ask(const std::string& key, const std::string& wanted) {
    db_->Execute({"ask", "UPDATE relay.parked SET wanted = $3 WHERE slot = $1 AND key = $2"}, slot_,
                 key, wanted);
  }
};

TEST_F(TransactionalTest, ARestartGoesOnAtTheCheckpointWithoutReadingWhatKafkaHas) {
  const Topic topic(1);
  for (int first = 1; first <= 21; first += 10) {
    const auto relay = Start(Transactional());
    AppendNumbers(topic.name(), first, first + 9);
    AwaitConfirmed();
    EXPECT_EQ(relay->Counter("relay_left_out_total"), 0);
  }
  EXPECT_EQ(Numbers(topic.Read()), UpTo(30));
  EXPECT_TRUE(Newest().atomic);
  EXPECT_GT(Newest().position, Lsn{0});
}

TEST_F(TransactionalTest, WhatWasRolledBackInPostgresqlIsNeverThere) {
  const Topic topic(1);
  const auto relay = Start(Transactional());
  AppendNumbers(topic.name(), 1, 2);
  db_->Execute({"begin", "BEGIN"});
  AppendNumbers(topic.name(), 90, 99);
  db_->Execute({"rollback", "ROLLBACK"});
  AppendNumbers(topic.name(), 3, 3);
  AwaitConfirmed();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(3));
}

TEST_F(TransactionalTest, ARelayThatIsFencedGivesUpItsSessionCountsItAndLeadsAgain) {
  const Topic topic(1);
  const auto relay = Start(Transactional());
  AppendNumbers(topic.name(), 1, 5);
  AwaitConfirmed();
  const auto usurper = Usurper();
  AppendNumbers(topic.name(), 6, 10);
  AwaitConfirmed();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(10));
  EXPECT_GE(relay->Reconnects("fenced"), 1) << relay->Log();
  EXPECT_EQ(relay->Health(), "");
}

TEST_F(TransactionalTest, OneThatStandsByShutsNobodyOut) {
  const Topic topic(1);
  const auto leader = Start(Transactional());
  RunningRelay standby(Transactional());
  ASSERT_TRUE(Eventually([&] { return standby.Log().find("standing by") != std::string::npos; }));
  AppendNumbers(topic.name(), 1, 5);
  AwaitConfirmed();
  EXPECT_EQ(leader->Reconnects("fenced"), 0);
  leader->Stop();
  AppendNumbers(topic.name(), 6, 9);
  AwaitConfirmed();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(9));
}

TEST_F(TransactionalTest, WhatADeduplicatingRelayLeftBehindItsCheckpointIsLeftOutOnce) {
  const Topic topic(1);
  {
    const auto relay = Start();
    AppendNumbers(topic.name(), 1, 10);
    AwaitConfirmed();
  }
  const auto old = Newest();
  EXPECT_FALSE(old.atomic);
  {
    const auto relay = Start();
    AppendNumbers(topic.name(), 11, 15);
    AwaitConfirmed();
  }
  // As if it had died before it could write another one.
  kafka::ProducerSettings settings;
  settings.client = Cluster();
  kafka::Producer producer(settings);
  kafka::Headers headers;
  ASSERT_EQ(producer.Produce({.topic = checkpoints_->name(), .key = slot_, .value = ToJson(old)},
                             headers),
            kafka::Produced::kQueued);
  ASSERT_TRUE(producer.Flush(10s, [](const auto&) {}));
  const auto relay = Start(Transactional());
  AppendNumbers(topic.name(), 16, 20);
  AwaitConfirmed();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(20));
}

TEST_F(TransactionalTest, AndOneThatDeduplicatesGoesOnAfterIt) {
  const Topic topic(1);
  {
    const auto relay = Start(Transactional());
    AppendNumbers(topic.name(), 1, 10);
    AwaitConfirmed();
  }
  EXPECT_TRUE(Newest().atomic);
  const auto relay = Start();
  EXPECT_FALSE(Newest().atomic) << "said before anything is sent";
  AppendNumbers(topic.name(), 11, 20);
  AwaitConfirmed();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(20));
}

TEST_F(TransactionalTest, TheFirstStartBringsWhatTheTablesHold) {
  const Topic topic(1);
  AppendNumbers(topic.name(), 1, 2'500);
  auto settings = Transactional();
  settings.first_start = FirstStart::kEverything;
  const auto relay = Start(settings);
  AppendNumbers(topic.name(), 2'501, 2'600);
  AwaitConfirmed();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(2'600));
}

TEST_F(TransactionalTest, ALostSlotIsRebuiltFromTheTables) {
  const Topic topic(1);
  {
    const auto relay = Start(Transactional());
    AppendNumbers(topic.name(), 1, 10);
    AwaitConfirmed();
    AwaitSettled();
  }
  AppendNumbers(topic.name(), 11, 15);
  DropSlot();
  AppendNumbers(topic.name(), 16, 20);
  const auto relay = Start(Transactional());
  AppendNumbers(topic.name(), 21, 25);
  AwaitConfirmed();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(25));
  EXPECT_EQ(relay->Counter("relay_rebuilds_total"), 1);
}

TEST_F(TransactionalTest, AnEventThatIsTooLargeIsParkedAndReleasedInOrderOnce) {
  const Topic topic(1);
  auto relay = Start(TransactionalAndParking());
  Append({.topic = topic.name(), .key = "a", .payload = "1"});
  Append({.topic = topic.name(), .key = "a", .payload = kTooLarge});
  Append({.topic = topic.name(), .key = "a", .payload = "3"});
  Append({.topic = topic.name(), .key = "b", .payload = "4"});
  AwaitConfirmed();
  EXPECT_THAT(topic.Values(), ElementsAre("1", "4"));
  Ask("a", "skip");
  ASSERT_TRUE(Eventually([&] { return ParkedKeys() == 0; })) << relay->Log();
  Append({.topic = topic.name(), .key = "a", .payload = "5"});
  AwaitConfirmed();
  EXPECT_THAT(topic.Values(), ElementsAre("1", "4", "3", "5"));
  relay.reset();
  relay = Start(TransactionalAndParking());
  AwaitConfirmed();
  EXPECT_THAT(topic.Values(), ElementsAre("1", "4", "3", "5"));
}

// A transaction of Kafka ends after a while, whatever is left to read.
TEST_F(TransactionalTest, AKeyThatTakesLongerThanATransactionIsReleased) {
  const Topic topic(1);
  // Without a sort the rows come as slowly as they are found.
  db_->ExecuteScript(
      "CREATE TABLE auth.copy (LIKE auth.event_log INCLUDING DEFAULTS, PRIMARY KEY (id)); "
      "CREATE VIEW auth.slow AS SELECT * FROM auth.copy WHERE pg_sleep(0.005) IS NOT NULL; "
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET enable_sort = off', current_database()); "
      "END $$");
  db_->Execute({"copy",
                "INSERT INTO auth.copy (id, event_id, topic, key, type, seq, payload) SELECT n, "
                "gen_random_uuid(), $1, 'a', 't', n, to_json(lpad(n::text, 9, '0')) FROM "
                "generate_series(1, 1500) n"},
               topic.name());
  db_->Execute({"park",
                "INSERT INTO relay.parked (slot, topic, key, source_schema, source_table, "
                "first_id, event_id, reason, wanted) VALUES ($1, $2, 'a', 'auth', 'slow', 1, 'e', "
                "'too large', 'unpark')"},
               slot_, topic.name());
  const auto relay = Start(TransactionalAndParking());
  ASSERT_TRUE(Eventually([&] { return !topic.Read().empty(); })) << relay->Log();
  EXPECT_EQ(ParkedKeys(), 1) << "nothing was to be seen before all of it was read";
  ASSERT_TRUE(Eventually([&] { return ParkedKeys() == 0; })) << relay->Log();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(1'500));
  EXPECT_EQ(relay->Reconnects("kafka"), 0) << relay->Log();
}

TEST_F(TransactionalTest, AnEventTheBrokerRefusesIsParkedAndItsNeighboursAreNot) {
  const Topic topic(1, {{"max.message.bytes", "20000"}});
  const auto relay = Start(TransactionalAndParking());
  const std::string big = "\"" + std::string(30'000, 'x') + "\"";
  Append({.topic = topic.name(), .key = "a", .payload = "1"});
  Append({.topic = topic.name(), .key = "b", .payload = big});
  Append({.topic = topic.name(), .key = "c", .payload = "3"});
  ASSERT_TRUE(Eventually([&] { return ParkedKeys() == 1; })) << relay->Log();
  AwaitConfirmed();
  EXPECT_THAT(topic.Values(), ElementsAre("1", "3"));
}

TEST_F(TransactionalTest, WhatCameBeforeAnEventThatIsHeldDoesNotWaitWithIt) {
  const std::string missing = support::TopicName();
  const Topic topic(1);
  const auto relay = Start(Transactional());
  db_->Execute({"lock", "BEGIN"});
  AppendNumbers(topic.name(), 1, 3);
  db_->Execute({"unlock", "COMMIT"});
  Append({.topic = missing, .key = "k", .payload = "1"});
  EXPECT_EQ(topic.AwaitRecords(3).size(), 3U);
  ASSERT_TRUE(Eventually([&] { return relay->Health().find("is held") != std::string::npos; }));
  support::Create(missing, 1);
  AwaitConfirmed();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(3));
  support::Delete(missing);
}

TEST_F(TransactionalTest, ATransactionOfAnotherRelayInTheCheckpointTopicIsWaitedFor) {
  const Topic topic(1);
  const auto other = TransactionalProducer(slot_ + "_other");
  {
    const auto relay = Start(Transactional());
    AppendNumbers(topic.name(), 1, 5);
    AwaitConfirmed();
    ProduceInTransaction(*other, checkpoints_->name(), "other", "{}");
    AppendNumbers(topic.name(), 6, 10);
    AwaitConfirmed();
  }
  // Its newest checkpoint lies behind the open transaction: an older one would double events.
  RunningRelay relay(Transactional());
  ASSERT_TRUE(Eventually([&] {
    return relay.Log().find("a transaction may be open there") != std::string::npos;
  })) << relay.Log();
  EXPECT_THAT(relay.Log(), Not(HasSubstr("\"streaming\"")));
  other->Commit(5s);
  AppendNumbers(topic.name(), 11, 15);
  AwaitConfirmed();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(15));
}

TEST_F(TransactionalTest, ATransactionThatIsLeftOpenIsEndedBeforeTheNextBegins) {
  const Topic topic(1);
  { const auto relay = Start(Transactional()); }
  const auto dead = Usurper();
  ProduceInTransaction(*dead, topic.name(), "k", "\"000000099\"");
  const auto relay = Start(Transactional());
  AppendNumbers(topic.name(), 1, 5);
  AwaitConfirmed();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(5)) << "aborted when the relay began, not after a minute";
  EXPECT_THROW(dead->Commit(5s), kafka::Fault);
}

TEST_F(TransactionalTest, ATransactionThatDoesNotFitIsGivenUpAndNamed) {
  const Topic topic(1);
  auto settings = Transactional();
  settings.kafka.transaction_timeout = 1'100ms;
  settings.kafka.socket_timeout = 1s;
  settings.kafka.queue_messages = 2;
  const auto relay = Start(settings);
  AppendNumbers(topic.name(), 1, 40'000);
  ASSERT_TRUE(Eventually([&] {
    return relay->Log().find("does not get into one of Kafka") != std::string::npos;
  })) << relay->Log();
  EXPECT_TRUE(topic.Read().empty());
}

}  // namespace
}  // namespace countersign::relay
