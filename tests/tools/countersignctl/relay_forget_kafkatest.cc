// relay forget: asks, never behind the back of a relay, and what it writes is a tombstone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <streambuf>
#include <string>

#include "tests/tools/countersignctl/checkpoints.h"

namespace countersign::ctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class RelayForgetTest : public CheckpointTest {
 protected:
  [[nodiscard]] Told Forget() const { return Ctl({"relay", "forget", "--yes"}); }
  [[nodiscard]] Told Answer(const std::string& answer) const {
    std::istringstream terminal(answer);
    return Ctl({"relay", "forget"}, &terminal);
  }
};

TEST_F(RelayForgetTest, WritesATombstoneForThisSlotOnly) {
  Write(GoodCheckpoint());
  WriteRecord("another_slot", ToJson(GoodCheckpoint()));
  const auto told = Forget();
  EXPECT_EQ(told.exit, kOk) << told.err;
  EXPECT_THAT(told.out, HasSubstr("forgot the checkpoint of " + slot_));
  EXPECT_FALSE(Newest());
  EXPECT_TRUE(Newest("another_slot"));
  const auto last = topic_->Read().back();
  EXPECT_EQ(last.key, slot_);
  EXPECT_THAT(last.value, IsEmpty());
  EXPECT_THAT(Ctl({"relay", "status"}).out, HasSubstr("checkpoint none"));
}

TEST_F(RelayForgetTest, WithoutATerminalItWantsYes) {
  Write(GoodCheckpoint());
  const auto told = Ctl({"relay", "forget"});
  EXPECT_EQ(told.exit, kUsage);
  EXPECT_THAT(told.err, HasSubstr("--yes"));
  EXPECT_TRUE(Newest());
}

TEST_F(RelayForgetTest, AsksAndTakesOnlyYesForYes) {
  Write(GoodCheckpoint());
  for (const char* answer : {"no\n", "\n", "", "y\n"}) {
    const auto told = Answer(answer);
    EXPECT_EQ(told.exit, kFailed) << answer;
    EXPECT_THAT(told.out, AllOf(HasSubstr("Type yes"), HasSubstr("The next start")));
    EXPECT_THAT(told.err, HasSubstr("left as it is"));
    EXPECT_TRUE(Newest()) << answer;
  }
  EXPECT_EQ(Answer("yes\n").exit, kOk);
  EXPECT_FALSE(Newest());
}

TEST_F(RelayForgetTest, SaysWhatTheNextStartWillDo) {
  Write(GoodCheckpoint());
  EXPECT_THAT(Answer("no\n").out, AllOf(HasSubstr("is a first one"), HasSubstr("first_start")));
  MakeSlot();
  EXPECT_THAT(Answer("no\n").out,
              AllOf(HasSubstr("goes on where the slot is confirmed"),
                    HasSubstr("SELECT pg_drop_replication_slot('" + slot_ + "')"),
                    Not(HasSubstr("is a first one"))));
}

TEST_F(RelayForgetTest, RefusesWhileARelayLeads) {
  Write(GoodCheckpoint());
  {
    pg::ReplicationConnection relay(Settings());
    ASSERT_TRUE(relay.TryLock(slot_));
    const auto told = Forget();
    EXPECT_EQ(told.exit, kFailed);
    EXPECT_THAT(told.err, AllOf(HasSubstr("a relay leads"), HasSubstr("stop every relay")));
    EXPECT_TRUE(Newest());
  }
  ASSERT_TRUE(support::Eventually([&] { return Forget().exit == kOk; }));
}

// A terminal whose answer comes when a relay has begun to lead.
class LateAnswer final : public std::streambuf {
 public:
  LateAnswer(pg::ReplicationConnection& relay, std::string slot)
      : relay_(relay), slot_(std::move(slot)) {}

 protected:
  int_type underflow() override {
    EXPECT_TRUE(relay_.TryLock(slot_));
    setg(answer_.data(), answer_.data(), answer_.data() + answer_.size());
    return traits_type::to_int_type(answer_.front());
  }

 private:
  pg::ReplicationConnection& relay_;
  std::string slot_;
  std::string answer_ = "yes\n";
};

TEST_F(RelayForgetTest, RefusesARelayThatBeganToLeadWhileItAsked) {
  Write(GoodCheckpoint());
  pg::ReplicationConnection relay(Settings());
  LateAnswer answer(relay, slot_);
  std::istream terminal(&answer);
  const auto told = Ctl({"relay", "forget"}, &terminal);
  EXPECT_EQ(told.exit, kFailed);
  EXPECT_THAT(told.err, HasSubstr("a relay leads"));
  EXPECT_TRUE(Newest());
}

TEST_F(RelayForgetTest, LeavesTheTopicAloneIfThereIsNothingToForget) {
  const auto told = Forget();
  EXPECT_EQ(told.exit, kOk) << told.err;
  EXPECT_THAT(told.out, HasSubstr("nothing to forget"));
  EXPECT_THAT(topic_->Read(), IsEmpty());
  Write(GoodCheckpoint());
  ASSERT_EQ(Forget().exit, kOk);
  const auto records = topic_->Read().size();
  EXPECT_THAT(Forget().out, HasSubstr("nothing to forget"));
  EXPECT_EQ(topic_->Read().size(), records);
}

TEST_F(RelayForgetTest, ForgetsACheckpointThatNobodyUnderstands) {
  WriteRecord(R"({"form": 99})");
  EXPECT_EQ(Forget().exit, kOk);
  EXPECT_FALSE(Newest());
}

TEST_F(RelayForgetTest, WantsTheNameOfTheSlot) {
  const auto told = RunCtl({"relay", "forget", "--yes"},
                           {{"DATABASE_URL", Conninfo()}, {"KAFKA_BROKERS", support::Brokers()}});
  EXPECT_EQ(told.exit, kUsage);
  EXPECT_THAT(told.err, HasSubstr("--slot"));
}

}  // namespace
}  // namespace countersign::ctl
