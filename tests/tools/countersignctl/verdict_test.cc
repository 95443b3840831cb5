// The checker, tried with planted faults.
#include "tools/countersignctl/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace countersign::ctl {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Instant kSince{1'000s};
constexpr Instant kUntil{2'000s};
const std::string kAuth = "/countersign/auth";
const std::string kOtp = "/countersign/otp";

struct Event {
  std::string id;
  std::int64_t row_id = 1;
  std::string key = "k";
  std::string topic = "t";
  std::string value = "{}";
  std::string type = "user.created";
  std::string source = kAuth;
  int partition = 0;
  std::int64_t offset = 0;
  Instant time = kSince;
  bool replayed = false;

  [[nodiscard]] EventFacts Facts(const std::string& seq) const {
    return {.event_id = id,
            .source = source,
            .topic = topic,
            .key = key,
            .type = type,
            .seq = seq,
            .value = value};
  }
};

// Three events of two keys.
std::vector<Event> Events() {
  return {{.id = "01890000-0000-7000-8000-000000000001", .row_id = 1},
          {.id = "01890000-0000-7000-8000-000000000002", .row_id = 2, .key = "other"},
          {.id = "01890000-0000-7000-8000-000000000003", .row_id = 3}};
}

class VerdictTest : public testing::Test {
 protected:
  VerdictTest() {
    verdict_.AddSource(kAuth, kSince);
    verdict_.AddSource(kOtp, kSince);
  }
  // Both lists by their order; `rows` may be in any.
  void Hold(const std::vector<Event>& rows, const std::vector<Event>& records,
            bool all_relayed = true) {
    for (const Event& row : rows) {
      const auto seq = std::to_string(row.row_id);
      verdict_.AddRow({.event = row.Facts(seq), .id = row.row_id});
    }
    verdict_.RowsComplete();
    for (const Event& record : records) {
      const auto seq = std::to_string(record.row_id);
      verdict_.AddRecord({.event = record.Facts(seq),
                          .partition = record.partition,
                          .offset = record.offset,
                          .time = record.time,
                          .row_id = record.row_id,
                          .replayed = record.replayed});
    }
    if (finish_) verdict_.Finish(all_relayed);
  }
  [[nodiscard]] std::int64_t Count(Finding finding) const { return verdict_.Of(finding).count; }
  // Nothing but that, once.
  void ExpectOnly(Finding wanted, const std::string& example) const {
    for (const Finding finding : kFindings) {
      EXPECT_EQ(Count(finding), finding == wanted ? 1 : 0) << NameOf(finding);
    }
    EXPECT_FALSE(verdict_.Clean());
    EXPECT_THAT(verdict_.Of(wanted).examples, ElementsAre(HasSubstr(example)));
  }

  Verdict verdict_{kUntil};
  bool finish_ = true;
};

TEST_F(VerdictTest, WhatIsTheSameOnBothSidesIsClean) {
  Hold(Events(), Events());
  EXPECT_TRUE(verdict_.Clean());
  EXPECT_EQ(verdict_.rows(), 3);
  EXPECT_EQ(verdict_.records(), 3);
  EXPECT_EQ(verdict_.duplicates(), 0);
  EXPECT_THAT(verdict_.Topics(), ElementsAre("t"));
}

TEST_F(VerdictTest, NothingAtAllIsClean) {
  Hold({}, {});
  EXPECT_TRUE(verdict_.Clean());
}

TEST_F(VerdictTest, FindsALostEventAndNamesItsRow) {
  auto records = Events();
  records.erase(records.begin() + 1);
  Hold(Events(), records);
  ExpectOnly(Finding::kLost, "000000000002 (row 2 of /countersign/auth)");
}

TEST_F(VerdictTest, AnEventThatTheRelayHasNotConfirmedIsWaitingAndNotLost) {
  Hold(Events(), {Events()[0]}, false);
  EXPECT_EQ(Count(Finding::kLost), 0);
  EXPECT_EQ(Count(Finding::kWaiting), 2);
  EXPECT_FALSE(verdict_.Clean());
}

TEST_F(VerdictTest, AParkedEventIsWaitingAndNotLost) {
  const auto events = Events();
  verdict_.AddRow({.event = events[0].Facts("1"), .id = 1, .parked = true});
  verdict_.AddRow({.event = events[2].Facts("3"), .id = 3});
  Hold({}, {});
  EXPECT_EQ(Count(Finding::kWaiting), 1);
  EXPECT_EQ(Count(Finding::kLost), 1);
}

TEST_F(VerdictTest, FindsAnInventedEventAndNamesItsPlace) {
  auto records = Events();
  records.push_back({.id = "never-written", .row_id = 9, .partition = 2, .offset = 17});
  Hold(Events(), records);
  ExpectOnly(Finding::kInvented, "never-written at t/2@17");
}

TEST_F(VerdictTest, ARecordThatSaysNoIdOrNoSourceIsInvented) {
  auto records = Events();
  records.push_back({.id = "", .row_id = 9});
  records.push_back({.id = "sourceless", .row_id = 9, .source = ""});
  Hold(Events(), records);
  EXPECT_EQ(Count(Finding::kInvented), 2);
}

TEST_F(VerdictTest, InventedEventsBeyondThoseThatAreRememberedCountToo) {
  std::vector<Event> records;
  for (std::size_t i = 0; i < Verdict::kMostUnknown + 5; ++i) {
    records.push_back({.id = "x" + std::to_string(i)});
  }
  finish_ = false;
  Hold({}, records);
  EXPECT_EQ(verdict_.Unknown().size(), Verdict::kMostUnknown);
  verdict_.Finish(true);
  EXPECT_EQ(Count(Finding::kInvented), static_cast<std::int64_t>(Verdict::kMostUnknown + 5));
  EXPECT_EQ(verdict_.Of(Finding::kInvented).examples.size(), Verdict::kExamples);
}

class AlterationTest : public VerdictTest,
                       public testing::WithParamInterface<std::function<void(Event&)>> {};

TEST_P(AlterationTest, IsFound) {
  auto records = Events();
  GetParam()(records[1]);
  Hold(Events(), records);
  ExpectOnly(Finding::kAltered, "000000000002");
}

INSTANTIATE_TEST_SUITE_P(Each, AlterationTest,
                         testing::Values([](Event& record) { record.value = "{ }"; },
                                         [](Event& record) { record.key = "kk"; },
                                         [](Event& record) { record.topic = "elsewhere"; },
                                         [](Event& record) { record.type = "user.deleted"; },
                                         [](Event& record) { record.source = kOtp; },
                                         [](Event& record) {
                                           record.row_id = 7;
                                         }));  // its sequence here

TEST_F(VerdictTest, FindsWhatCameBehindALaterEventOfItsKey) {
  auto records = Events();
  std::swap(records[0], records[2]);
  Hold(Events(), records);
  ExpectOnly(Finding::kOutOfOrder, "000000000001");
}

TEST_F(VerdictTest, KeysAreNotOrderedAgainstEachOther) {
  auto records = Events();
  std::swap(records[0], records[1]);
  Hold(Events(), records);
  EXPECT_TRUE(verdict_.Clean());
}

TEST_F(VerdictTest, EachLogOrdersTheEventsOfAKeyByItself) {
  const std::vector<Event> events = {{.id = "a", .row_id = 100},
                                     {.id = "b", .row_id = 1, .source = kOtp},
                                     {.id = "c", .row_id = 101},
                                     {.id = "d", .row_id = 2, .source = kOtp}};
  Hold(events, events);
  EXPECT_TRUE(verdict_.Clean());
}

TEST_F(VerdictTest, FindsAKeyOnTwoPartitionsOnce) {
  auto events = Events();
  events.push_back({.id = "d", .row_id = 4});
  events.push_back({.id = "e", .row_id = 5});
  auto records = events;
  records[3].partition = records[4].partition = 1;
  Hold(events, records);
  ExpectOnly(Finding::kMovedKey, "key k of t: 0 and 1");
}

TEST_F(VerdictTest, FindsAKeyThatOnlyADuplicateMoved) {
  auto records = Events();
  records.push_back(records[0]);
  records.back().partition = 1;
  Hold(Events(), records);
  ExpectOnly(Finding::kMovedKey, "key k of t");
  EXPECT_EQ(verdict_.duplicates(), 1);
}

TEST_F(VerdictTest, CountsADuplicateWhichIsNoFault) {
  auto records = Events();
  records.push_back(records[0]);  // behind a later one of its key
  Hold(Events(), records);
  EXPECT_TRUE(verdict_.Clean());
  EXPECT_EQ(verdict_.duplicates(), 1);
  EXPECT_EQ(verdict_.records(), 4);
}

TEST_F(VerdictTest, AnAlteredDuplicateIsFound) {
  auto records = Events();
  records.push_back(records[0]);
  records.back().value = "[]";
  Hold(Events(), records);
  ExpectOnly(Finding::kAltered, "000000000001");
}

TEST_F(VerdictTest, AReplayedRecordIsNoDuplicateAndInNoOrder) {
  auto records = Events();
  records.push_back(records[0]);
  records.back().replayed = true;
  records.back().topic = "elsewhere";
  records.back().partition = 5;
  Hold(Events(), records);
  EXPECT_TRUE(verdict_.Clean());
  EXPECT_EQ(verdict_.duplicates(), 0);
  EXPECT_EQ(verdict_.replayed(), 1);
}

TEST_F(VerdictTest, AReplayMendsALoss) {
  auto records = Events();
  records[0].replayed = true;
  std::swap(records[0], records[2]);
  Hold(Events(), records);
  EXPECT_TRUE(verdict_.Clean());
}

TEST_F(VerdictTest, AReplayedRecordNeedsARowThatIsLikeIt) {
  auto records = Events();
  records.push_back({.id = "never-written", .row_id = 9, .replayed = true});
  records.push_back(records[0]);
  records.back().replayed = true;
  records.back().value = "[]";
  Hold(Events(), records);
  EXPECT_EQ(Count(Finding::kInvented), 1);
  EXPECT_EQ(Count(Finding::kAltered), 1);
}

TEST_F(VerdictTest, LeavesOutWhatIsOutsideOfTheRangeOrOfAnotherLog) {
  auto records = Events();
  records.push_back({.id = "before", .time = kSince - 1us});
  records.push_back({.id = "after", .time = kUntil});
  records.push_back({.id = "foreign", .source = "/shop"});
  Hold(Events(), records);
  EXPECT_TRUE(verdict_.Clean());
  EXPECT_EQ(verdict_.records(), 3);
}

TEST_F(VerdictTest, ARowThatWasCommittedMeanwhileExplainsItsRecord) {
  finish_ = false;
  const Event late{.id = "late", .row_id = 4};
  const Event changed{.id = "changed", .row_id = 5, .value = "[]"};
  auto records = Events();
  records.push_back(late);
  records.push_back(changed);
  Hold(Events(), records);
  EXPECT_EQ(verdict_.Unknown().size(), 2U);
  verdict_.Explain(late.Facts("4"));
  verdict_.Explain(Event{.id = "changed", .row_id = 5}.Facts("5"));
  verdict_.Finish(true);
  ExpectOnly(Finding::kAltered, "changed");
  EXPECT_THAT(verdict_.Unknown(), IsEmpty());
}

TEST_F(VerdictTest, RowsMayShareAnEventIdIfEachHasItsRecord) {
  const std::vector<Event> events = {{.id = "twice", .row_id = 1, .value = "1"},
                                     {.id = "twice", .row_id = 2, .value = "2"}};
  Hold(events, events);
  EXPECT_TRUE(verdict_.Clean());
  EXPECT_EQ(verdict_.duplicates(), 0);
}

TEST_F(VerdictTest, RowsThatAreAllAlikeNeedARecordEach) {
  const Event event{.id = "twice"};
  for (const std::int64_t id : {1, 2}) verdict_.AddRow({.event = event.Facts("1"), .id = id});
  Hold({}, {event, event});
  EXPECT_TRUE(verdict_.Clean());
  EXPECT_EQ(verdict_.duplicates(), 0);
}

TEST_F(VerdictTest, TheSameNumberOfBytesSplitElsewhereIsAltered) {
  const Event row{.id = "a", .key = "ab", .type = "c"};
  Event record = row;
  record.key = "a";
  record.type = "bc";
  Hold({row}, {record});
  EXPECT_EQ(Count(Finding::kAltered), 1);
}

}  // namespace
}  // namespace countersign::ctl
