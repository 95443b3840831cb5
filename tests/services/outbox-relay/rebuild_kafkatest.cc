// The slot is gone, or never was: what is missing in Kafka comes from the tables.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/services/outbox-relay/own_database.h"

namespace countersign::relay {
namespace {

using support::Eventually;
using support::Topic;
using testing::HasSubstr;

class RebuildTest : public OwnDatabaseTest {
 protected:
  void AwaitConfirmed() {
    const Lsn end = Now();
    ASSERT_TRUE(Eventually([&] { return Confirmed() >= end; }));
  }
};

TEST_F(RebuildTest, TheFirstStartRelaysWhatWasCommittedBeforeIt) {
  const Topic topic(1);
  AppendNumbers(topic.name(), 1, 2'500);
  const auto relay = Start(FromTheFirstEvent());
  EXPECT_EQ(relay->Counter("relay_rebuilds_total"), 1);
  AppendNumbers(topic.name(), 2'501, 2'510);
  EXPECT_EQ(Numbers(topic.AwaitRecords(2'510)), UpTo(2'510));
  AwaitSettled();
  EXPECT_EQ(relay->Health(), "");
}

TEST_F(RebuildTest, AFirstStartFromNowLeavesItOut) {
  const Topic topic(1);
  AppendNumbers(topic.name(), 1, 10);
  const auto relay = Start();
  AppendNumbers(topic.name(), 11, 11);
  EXPECT_EQ(Numbers(topic.AwaitRecords(1)), std::vector<int>{11});
}

// Their order would be one for each partition.
TEST_F(RebuildTest, APublicationThatSendsPartitionsAsTablesIsRefused) {
  db_->ExecuteScript("ALTER PUBLICATION countersign_auth SET (publish_via_partition_root = false)");
  RunningRelay relay(FromTheFirstEvent());
  EXPECT_TRUE(Eventually([&] { return relay.Reconnects("publication_sends_partitions") > 0; }));
  EXPECT_THAT(relay.Health(), HasSubstr("publish_via_partition_root"));
}

TEST_F(RebuildTest, ADroppedSlotLosesAndDoublesNothing) {
  const Topic topic(1);
  {
    const auto relay = Start(FromTheFirstEvent());
    AppendNumbers(topic.name(), 1, 10);
    AwaitSettled();
    AppendNumbers(topic.name(), 11, 20);  // in Kafka, though the settled point may not say so
    AwaitConfirmed();
  }
  DropSlot();
  AppendNumbers(topic.name(), 21, 30);
  const auto relay = Start(FromTheFirstEvent());
  AppendNumbers(topic.name(), 31, 40);
  AwaitConfirmed();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(40));
  EXPECT_THAT(relay->Log(), HasSubstr("the slot is gone"));
  AwaitSettled();
}

// Its rows have older ids and its transaction an older number than much that Kafka has.
TEST_F(RebuildTest, FindsATransactionThatWasOpenWhenTheSlotWasWell) {
  const Topic topic(1);
  pg::Connection late(DatabaseSettings());
  const Event event{.topic = topic.name(), .payload = "\"late\""};
  {
    const auto relay = Start(FromTheFirstEvent());
    AppendNumbers(topic.name(), 1, 1);
    AwaitSettled();
    late.ExecuteScript("BEGIN");
    AppendIn(late, event);
    AppendNumbers(topic.name(), 2, 50);
    AwaitSettled();
  }
  DropSlot();
  late.ExecuteScript("COMMIT");
  const auto relay = Start(FromTheFirstEvent());
  AwaitConfirmed();
  const auto records = topic.Read();
  ASSERT_EQ(records.size(), 51U);
  EXPECT_EQ(records.back().value, event.payload);
  EXPECT_EQ(records.back().Header("commit_lsn"), "") << "the table does not tell";
}

// The new slot exists, but not everything before it is in Kafka.
TEST_F(RebuildTest, ARebuildThatWasCutShortIsBegunAgain) {
  const std::string missing = support::TopicName();
  const Topic topic(1);
  AppendNumbers(topic.name(), 1, 10);
  AppendNumbers(missing, 1, 3);
  {
    RunningRelay relay(FromTheFirstEvent());
    ASSERT_TRUE(Eventually([&] {
      return relay.Health().find("does not exist") != std::string::npos;
    })) << relay.Health();
  }
  EXPECT_TRUE(Newest().rebuilding);
  AppendNumbers(topic.name(), 11, 15);
  support::Create(missing, 1);
  const auto relay = Start(FromTheFirstEvent());
  AwaitConfirmed();
  EXPECT_EQ(Numbers(topic.Read()), UpTo(15));
  TailReader reader(support::Cluster());
  int records = 0;
  EXPECT_EQ(reader.Read(missing, {}, [&](const auto&) { ++records; }), Tail::kRead);
  EXPECT_EQ(records, 3);
  AwaitSettled();
  support::Delete(missing);
}

TEST_F(RebuildTest, TellsWhichColumnATableLacks) {
  db_->ExecuteScript(
      "CREATE SCHEMA other; CREATE TABLE other.outbox (id bigint, event_id uuid, topic text, "
      "key text, payload text); CREATE PUBLICATION other FOR TABLE other.outbox");
  auto settings = FromTheFirstEvent();
  settings.publications = {"other"};
  settings.columns.required = {};
  { const auto relay = Start(settings); }
  DropSlot();
  RunningRelay relay(settings);
  EXPECT_TRUE(Eventually([&] {
    return relay.Health().find("column \"xid\" does not exist") != std::string::npos;
  })) << relay.Health();
}

}  // namespace
}  // namespace countersign::relay
