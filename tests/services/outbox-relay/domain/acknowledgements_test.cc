#include "services/outbox-relay/domain/acknowledgements.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

namespace countersign::relay {
namespace {

using std::chrono::seconds;

Instant At(int second) { return Instant{seconds{second}}; }

// One transaction of so many events, closed at `end`; the token of its events.
Acknowledgements::Token Add(Acknowledgements& acknowledgements, int events, std::uint64_t end) {
  acknowledgements.Open(At(static_cast<int>(end)));
  Acknowledgements::Token token = 0;
  for (int i = 0; i < events; ++i) token = acknowledgements.AddEvent();
  acknowledgements.Close(Lsn{end});
  return token;
}

TEST(AcknowledgementsTest, ConfirmsATransactionWhenAllOfItsEventsAreAcknowledged) {
  Acknowledgements acknowledgements(Lsn{10});
  const auto token = Add(acknowledgements, 3, 20);
  acknowledgements.Acknowledge(token);
  acknowledgements.Acknowledge(token);
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{10});
  EXPECT_EQ(acknowledgements.InFlight(), 1U);
  EXPECT_EQ(acknowledgements.Acknowledge(token), At(20));
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{20});
  EXPECT_TRUE(acknowledgements.Idle());
}

TEST(AcknowledgementsTest, NeverPassesAnUnacknowledgedTransactionWhateverTheOrder) {
  Acknowledgements acknowledgements(Lsn{0});
  const auto first = Add(acknowledgements, 1, 10);
  const auto second = Add(acknowledgements, 1, 20);
  const auto third = Add(acknowledgements, 1, 30);
  acknowledgements.Acknowledge(third);
  acknowledgements.Acknowledge(second);
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{0});
  EXPECT_EQ(acknowledgements.Oldest(), At(10));
  acknowledgements.Acknowledge(first);
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{30});
  EXPECT_EQ(acknowledgements.Oldest(), std::nullopt);
}

TEST(AcknowledgementsTest, DoesNotConfirmATransactionThatIsStillOpen) {
  Acknowledgements acknowledgements(Lsn{5});
  acknowledgements.Open(At(1));
  EXPECT_EQ(acknowledgements.CommitTime(), At(1));
  const auto token = acknowledgements.AddEvent();
  acknowledgements.Acknowledge(token);
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{5});
  EXPECT_FALSE(acknowledgements.Idle());
  acknowledgements.Close(Lsn{9});
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{9});
}

TEST(AcknowledgementsTest, ATransactionWithoutEventsIsDoneWhenItCloses) {
  Acknowledgements acknowledgements(Lsn{0});
  Add(acknowledgements, 0, 10);
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{10});
  const auto token = Add(acknowledgements, 1, 20);
  Add(acknowledgements, 0, 30);
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{10});
  acknowledgements.Acknowledge(token);
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{30});
}

TEST(AcknowledgementsTest, ForgetsAnEventThatWasTakenBack) {
  Acknowledgements acknowledgements(Lsn{0});
  acknowledgements.Open(At(1));
  static_cast<void>(acknowledgements.AddEvent());
  acknowledgements.TakeBack();
  EXPECT_EQ(acknowledgements.InFlight(), 0U);
  acknowledgements.Close(Lsn{7});
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{7});
}

TEST(AcknowledgementsTest, NeverGoesBack) {
  Acknowledgements acknowledgements(Lsn{50});
  Add(acknowledgements, 0, 45);
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{50});
  acknowledgements.Pass(Lsn{40});
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{50});
}

TEST(AcknowledgementsTest, APassedPositionCountsOnceEverythingBeforeItIsAcknowledged) {
  Acknowledgements acknowledgements(Lsn{0});
  acknowledgements.Pass(Lsn{5});
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{5});
  const auto first = Add(acknowledgements, 1, 10);
  acknowledgements.Pass(Lsn{20});
  const auto second = Add(acknowledgements, 1, 30);
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{5});
  acknowledgements.Acknowledge(second);
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{5});
  acknowledgements.Acknowledge(first);
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{30});
  const auto third = Add(acknowledgements, 1, 40);
  acknowledgements.Pass(Lsn{90});
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{30});
  acknowledgements.Acknowledge(third);
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{90});
}

TEST(AcknowledgementsTest, APositionPassedInsideATransactionDoesNotConfirmIt) {
  Acknowledgements acknowledgements(Lsn{0});
  acknowledgements.Open(At(1));
  const auto token = acknowledgements.AddEvent();
  acknowledgements.Pass(Lsn{8});
  acknowledgements.Acknowledge(token);
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{0});
  acknowledgements.Close(Lsn{10});
  EXPECT_EQ(acknowledgements.Confirmed(), Lsn{10});
}

TEST(AcknowledgementsTest, IsFullAtItsLimit) {
  Acknowledgements acknowledgements(Lsn{0});
  const auto first = Add(acknowledgements, 1, 1);
  for (std::size_t i = 1; i < Acknowledgements::kMaxTransactions; ++i) {
    EXPECT_FALSE(acknowledgements.Full());
    Add(acknowledgements, 0, i + 1);
  }
  EXPECT_TRUE(acknowledgements.Full());
  acknowledgements.Acknowledge(first);
  EXPECT_FALSE(acknowledgements.Full());
}

// Misuse is a bug of the relay, and going on would confirm what Kafka does not have.
using AcknowledgementsDeathTest = testing::Test;

TEST(AcknowledgementsDeathTest, EndsTheProcessOnMisuse) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Acknowledgements acknowledgements(Lsn{0});
  EXPECT_DEATH(static_cast<void>(acknowledgements.AddEvent()), "open transaction");
  EXPECT_DEATH(acknowledgements.Acknowledge(7), "in flight");
  EXPECT_DEATH(acknowledgements.Close(Lsn{1}), "open transaction");
  const auto token = Add(acknowledgements, 1, 10);
  acknowledgements.Open(At(1));
  EXPECT_DEATH(acknowledgements.Open(At(2)), "closed");
  acknowledgements.Acknowledge(token);
  EXPECT_DEATH(acknowledgements.Acknowledge(token), "in flight");
}

// Against a model: the confirmed position is the end of the longest prefix that is done.
TEST(AcknowledgementsTest, AgreesWithAModelInRandomOrdersOfAcknowledgement) {
  struct Modelled {
    std::uint64_t end;
    std::size_t remaining;
  };
  for (unsigned seed = 0; seed < 100; ++seed) {
    std::mt19937 random(seed);
    Acknowledgements acknowledgements(Lsn{0});
    std::vector<Modelled> model;
    std::vector<std::pair<Acknowledgements::Token, std::size_t>> in_flight;
    for (std::uint64_t step = 1; step <= 300; ++step) {
      if (random() % 2 == 0) {
        const std::size_t events = random() % 4;
        acknowledgements.Open(At(1));
        for (std::size_t i = 0; i < events; ++i) {
          in_flight.emplace_back(acknowledgements.AddEvent(), model.size());
        }
        acknowledgements.Close(Lsn{step});
        model.push_back({step, events});
      } else if (!in_flight.empty()) {
        std::swap(in_flight[random() % in_flight.size()], in_flight.back());
        acknowledgements.Acknowledge(in_flight.back().first);
        --model[in_flight.back().second].remaining;
        in_flight.pop_back();
      }
      std::uint64_t expected = 0;
      for (const Modelled& one : model) {
        if (one.remaining > 0) break;
        expected = one.end;
      }
      ASSERT_EQ(acknowledgements.Confirmed(), Lsn{expected}) << "seed " << seed;
      ASSERT_EQ(acknowledgements.InFlight(), in_flight.size()) << "seed " << seed;
    }
  }
}

TEST(AcknowledgementsTest, HeldBackTheyCountOnlyWhenTheyAreReleased) {
  Acknowledgements held(Lsn{5}, true);
  held.Open({});
  const auto token = held.AddEvent();
  held.Close(Lsn{10});
  (void)held.Acknowledge(token);
  held.Pass(Lsn{12});
  EXPECT_EQ(held.Confirmed(), Lsn{5});
  EXPECT_EQ(held.Reached(), Lsn{12});
  EXPECT_EQ(held.InFlight(), 0U);
  held.Open({});
  held.Release();
  EXPECT_EQ(held.Confirmed(), Lsn{10}) << "the open one is not among them";
  held.Close(Lsn{20});
  EXPECT_EQ(held.Confirmed(), Lsn{10});
  held.Release();
  EXPECT_EQ(held.Confirmed(), Lsn{20});
}

}  // namespace
}  // namespace countersign::relay
