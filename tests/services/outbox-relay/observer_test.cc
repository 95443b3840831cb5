#include "services/outbox-relay/observer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace countersign::relay {
namespace {

using namespace std::chrono_literals;

class SettableClock final : public Clock {
 public:
  [[nodiscard]] Instant Now() const override { return now; }
  Instant now{1'800'000'000s};
};

class ObserverTest : public ::testing::Test {
 protected:
  // A turn of the relay ends: what it saw is told.
  void Turn() { observer_.Progress(acknowledgements_, Lsn{}); }
  // As a scrape sees it; -1 if there is no such series.
  [[nodiscard]] double Shown(const std::string& series) const {
    const std::string page = registry_.Text();
    const auto at = page.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stod(page.substr(at + series.size() + 2));
  }
  [[nodiscard]] double Stage(const std::string& what, const std::string& stage) const {
    return Shown("relay_stage_seconds_" + what + "{stage=\"" + stage + "\"}");
  }
  [[nodiscard]] double Status(const std::string& status) const {
    return Shown("relay_slot_wal_status{status=\"" + status + "\"}");
  }
  void Say(const SlotReport& report, std::chrono::seconds ago = 0s) {
    observer_.Slot(report, SteadyNow() - ago);
  }
  static Observer::SteadyTime SteadyNow() { return std::chrono::steady_clock::now(); }

  SettableClock clock_;
  metrics::Registry registry_;
  Observer observer_{registry_, clock_};
  Acknowledgements acknowledgements_{Lsn{}};
};

TEST_F(ObserverTest, TellsInWhichStageAnEventSpentItsTime) {
  Turn();
  const auto turn = SteadyNow();
  observer_.Produced(clock_.now - 2s, turn, turn);
  observer_.Produced(clock_.now - 2s, turn + 1s, turn + 5s);
  observer_.Heard(250ms);
  EXPECT_EQ(Stage("count", "read"), 0) << "one by one they would cost too much";
  Turn();
  EXPECT_EQ(Stage("count", "read"), 2);
  EXPECT_NEAR(Stage("sum", "read"), 2 + 3, 0.5);
  EXPECT_EQ(Stage("count", "queue"), 2);
  EXPECT_NEAR(Stage("sum", "queue"), 4, 1e-6);
  EXPECT_EQ(Stage("count", "acknowledge"), 1);
  EXPECT_NEAR(Stage("sum", "acknowledge"), 0.25, 1e-6);
}

TEST_F(ObserverTest, ACommitOfAClockThatIsAheadTakesNoTime) {
  Turn();
  observer_.Produced(clock_.now + 3s, SteadyNow(), SteadyNow());
  observer_.Acknowledged("a", clock_.now + 3s, 1);
  Turn();
  EXPECT_EQ(Stage("count", "read"), 1);
  EXPECT_EQ(Stage("sum", "read"), 0);
  EXPECT_EQ(Shown("relay_commit_to_ack_seconds_sum"), 0);
}

TEST_F(ObserverTest, CountsEventsAndBytesByTopic) {
  observer_.Acknowledged("a", clock_.now - 1s, 100);
  observer_.Acknowledged("a", clock_.now - 3s, 500, 3);
  observer_.Acknowledged("b", clock_.now, 7);
  Turn();
  EXPECT_EQ(Shown("relay_events_total{topic=\"a\"}"), 4);
  EXPECT_EQ(Shown("relay_bytes_total{topic=\"a\"}"), 600);
  EXPECT_EQ(Shown("relay_bytes_total{topic=\"b\"}"), 7);
  EXPECT_EQ(Shown("relay_commit_to_ack_seconds_count"), 5);
  EXPECT_EQ(Shown("relay_commit_to_ack_seconds_sum"), 1 + 3 * 3);
}

TEST_F(ObserverTest, TheLeaderTellsWhatPostgreSqlSaysOfTheSlot) {
  observer_.Leading(true);
  Say({.wal_status = "extended", .retained = 300, .safe = 20});
  EXPECT_EQ(Shown("relay_slot_retained_bytes"), 300);
  EXPECT_EQ(Shown("relay_slot_safe_bytes"), 20);
  EXPECT_EQ(Status("extended"), 1);
  EXPECT_EQ(Status("reserved"), 0);
  // It keeps more than it may.
  Say({.wal_status = "unreserved", .retained = 400, .safe = -80});
  EXPECT_EQ(Shown("relay_slot_safe_bytes"), -80);
  EXPECT_EQ(Status("extended"), 0);
  EXPECT_EQ(Status("unreserved"), 1);
  Say({.wal_status = "lost"});
  EXPECT_TRUE(std::isnan(Shown("relay_slot_retained_bytes")));
  EXPECT_EQ(Status("lost"), 1);
}

TEST_F(ObserverTest, WithoutALimitNothingIsSafeAndNothingUnsafe) {
  observer_.Leading(true);
  Say({.wal_status = "reserved", .retained = 300});
  EXPECT_EQ(Shown("relay_slot_retained_bytes"), 300);
  EXPECT_TRUE(std::isnan(Shown("relay_slot_safe_bytes")));
}

TEST_F(ObserverTest, OnlyTheLeaderKnowsTheSlotAndOnlyWhileItIsToldOf) {
  const SlotReport reserved{.wal_status = "reserved", .retained = 300, .safe = 20};
  const auto known = [&] {
    const bool shown = !std::isnan(Shown("relay_slot_retained_bytes"));
    EXPECT_EQ(Status("reserved"), shown ? 1 : 0);
    EXPECT_EQ(std::isnan(Shown("relay_slot_safe_bytes")), !shown);
    return shown;
  };
  EXPECT_FALSE(known());
  Say(reserved);
  EXPECT_FALSE(known()) << "it stands by";
  observer_.Leading(true);
  EXPECT_FALSE(known()) << "it has not looked";
  Say(reserved);
  EXPECT_TRUE(known());
  observer_.Leading(false);
  EXPECT_FALSE(known());
  Say(reserved);
  observer_.Leading(true);
  EXPECT_FALSE(known()) << "a look that ended after the lead says nothing of the next one";
  Say(reserved, Observer::kSlotKnown + 1s);
  EXPECT_FALSE(known()) << "the database has not answered for long";
}

TEST_F(ObserverTest, WhatAFaultMadeItForgetIsStillLate) {
  acknowledgements_.Open(clock_.now - 60s);
  const auto token = acknowledgements_.AddEvent();
  Turn();
  observer_.Reconnected("kafka");
  const auto before = acknowledgements_;
  acknowledgements_ = Acknowledgements{Lsn{}};
  Turn();
  EXPECT_NEAR(Shown("relay_lag_seconds"), 60, 1e-3) << "nobody has brought it";
  // It is read again.
  acknowledgements_ = before;
  Turn();
  EXPECT_NEAR(Shown("relay_lag_seconds"), 60, 1e-3);
  acknowledgements_.Acknowledge(token);
  acknowledgements_.Close(Lsn{100});
  Turn();
  EXPECT_EQ(Shown("relay_lag_seconds"), 0);
}

TEST_F(ObserverTest, WhatTheNextSessionFindsDoneIsNotLate) {
  acknowledgements_.Open(clock_.now - 60s);
  Turn();
  observer_.Reconnected("kafka");
  acknowledgements_ = Acknowledgements{Lsn{100}};
  Turn();
  EXPECT_EQ(Shown("relay_lag_seconds"), 0);
}

TEST_F(ObserverTest, WhatAnotherRelayShallBringIsNotThisOnesLag) {
  acknowledgements_.Open(clock_.now - 60s);
  Turn();
  observer_.Reconnected("connection_lost");
  observer_.StandsBy();
  acknowledgements_ = Acknowledgements{Lsn{}};
  Turn();
  EXPECT_EQ(Shown("relay_lag_seconds"), 0);
}

TEST_F(ObserverTest, AWaitForAStandbyIsLate) {
  observer_.AwaitsStandbys(clock_.now - 60s);
  Turn();
  EXPECT_NEAR(Shown("relay_lag_seconds"), 60, 1e-3);
  observer_.AwaitsStandbys({});
  EXPECT_EQ(Shown("relay_lag_seconds"), 0);
}

}  // namespace
}  // namespace countersign::relay
