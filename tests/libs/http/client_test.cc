#include "libs/http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <nlohmann/json.hpp>

#include "libs/http/url.h"
#include "tests/fakes/twilio/running_fake.h"
#include "tests/fakes/twilio/steering.h"

namespace countersign::http {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using twilio_fake::RunningFake;

// A server that counts what it processed, and two ways to it: the client under test and another
// one whose requests are never disturbed.
class ClientTest : public testing::Test {
 protected:
  [[nodiscard]] Request Post(const std::string& to) const {
    return {.method = Method::kPost,
            .url = fake_.url() + "/2010-04-01/Accounts/" + fake_.account_sid() + "/Messages.json",
            .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
            .body = Secret(FormEncode({{"To", to}, {"From", "+15005550006"}, {"Body", "Hi"}})),
            .basic = Credentials()};
  }
  [[nodiscard]] Request Get(const std::string& path) const {
    return {.method = Method::kGet, .url = fake_.url() + path, .basic = Credentials()};
  }
  [[nodiscard]] std::optional<BasicCredentials> Credentials() const {
    return BasicCredentials{fake_.account_sid(), Secret<std::string>(fake_.password())};
  }
  Outcome Do(Request request, std::chrono::milliseconds within = 5s) {
    return client_.SendAndWait(std::move(request), std::chrono::steady_clock::now() + within);
  }
  void AddFault(const json& rule) { steering_.AddFault(rule); }
  json Look(const std::string& path) { return steering_.Look(path); }
  int Processed() { return steering_.Processed(); }
  // One request that goes well, so that its connection will be used again.
  void OpenConnection() {
    const auto outcome = Do(Post("+4915112345678"));
    ASSERT_TRUE(outcome.response) << outcome.detail;
    ASSERT_EQ(outcome.response->status, 201);
  }

  RunningFake fake_;
  Client client_{Settings{}};
  twilio_fake::Steering steering_{fake_.url()};
};

TEST_F(ClientTest, NeverRepeatsAPostWhenAReusedConnectionIsResetAfterItWasProcessed) {
  OpenConnection();
  AddFault({{"operation", "CreateMessage"}, {"drop", "after"}, {"count", 1}});

  const auto outcome = Do(Post("+4915112345679"));

  EXPECT_FALSE(outcome.response);
  EXPECT_TRUE(outcome.maybe_sent);
  EXPECT_EQ(Processed(), 1 + 1);
}

TEST_F(ClientTest, NeverRepeatsAPostWhenAReusedConnectionEndsAfterItWasProcessed) {
  OpenConnection();
  AddFault({{"operation", "CreateMessage"}, {"drop", "after"}, {"reset", false}, {"count", 1}});

  const auto outcome = Do(Post("+4915112345679"));

  EXPECT_FALSE(outcome.response);
  EXPECT_TRUE(outcome.maybe_sent);
  EXPECT_EQ(Processed(), 1 + 1);
}

TEST_F(ClientTest, CallsAPostSentEvenIfTheServerThenRefusesConnections) {
  OpenConnection();
  AddFault({{"operation", "CreateMessage"}, {"drop", "after"}, {"refuse_ms", 300}, {"count", 1}});

  const auto outcome = Do(Post("+4915112345679"));

  EXPECT_FALSE(outcome.response);
  EXPECT_TRUE(outcome.maybe_sent) << "libcurl may say it could not connect; the server has it";
  EXPECT_EQ(Processed(), 1 + 1);
}

TEST_F(ClientTest, NeverRepeatsAPostOnAFreshConnection) {
  AddFault({{"operation", "CreateMessage"}, {"drop", "after"}, {"count", 1}});

  const auto outcome = Do(Post("+4915112345679"));

  EXPECT_FALSE(outcome.response);
  EXPECT_TRUE(outcome.maybe_sent);
  EXPECT_EQ(Processed(), 1);
}

TEST_F(ClientTest, NeverRepeatsAPostHoweverOftenTheServerResets) {
  OpenConnection();
  AddFault({{"operation", "CreateMessage"}, {"drop", "after"}});

  for (int i = 0; i < 10; ++i) {
    const auto outcome = Do(Post("+4915112345679"));
    EXPECT_FALSE(outcome.response);
    EXPECT_TRUE(outcome.maybe_sent);
  }
  EXPECT_EQ(Processed(), 1 + 10);
}

TEST_F(ClientTest, CannotTellAResetBeforeTheEffectFromOneAfterIt) {
  OpenConnection();
  AddFault({{"operation", "CreateMessage"}, {"drop", "before"}, {"count", 1}});

  const auto outcome = Do(Post("+4915112345679"));

  EXPECT_TRUE(outcome.maybe_sent);
  EXPECT_EQ(Processed(), 1);
}

TEST_F(ClientTest, RepeatsAGetWhoseReusedConnectionDied) {
  OpenConnection();
  AddFault({{"operation", "ListMessage"}, {"drop", "before"}, {"count", 1}});

  const auto outcome =
      Do(Get("/2010-04-01/Accounts/" + fake_.account_sid() + "/Messages.json?PageSize=1"));

  ASSERT_TRUE(outcome.response) << outcome.detail;
  EXPECT_EQ(outcome.response->status, 200);
}

TEST_F(ClientTest, CallsAPostNotSentWhenNobodyListens) {
  auto request = Post("+4915112345678");
  request.url = "http://127.0.0.1:1/";

  const auto outcome = Do(std::move(request));

  EXPECT_FALSE(outcome.maybe_sent);
  EXPECT_EQ(outcome.failure, Failure::kConnect);
}

TEST_F(ClientTest, CallsAPostSentWhenItsAnswerIsTooLate) {
  AddFault({{"operation", "CreateMessage"}, {"latency_after_ms", 2000}, {"count", 1}});

  const auto outcome = Do(Post("+4915112345678"), 200ms);

  EXPECT_TRUE(outcome.maybe_sent);
  EXPECT_EQ(outcome.failure, Failure::kTimeout);
}

TEST_F(ClientTest, DoesNotSendWhatIsAlreadyTooLate) {
  const auto outcome = Do(Post("+4915112345678"), -1ms);

  EXPECT_FALSE(outcome.maybe_sent);
  EXPECT_EQ(outcome.failure, Failure::kTimeout);
  EXPECT_EQ(Processed(), 0);
}

TEST_F(ClientTest, HoldsARequestBackForItsDelay) {
  auto later = Post("+4915112345678");
  later.delay = 300ms;
  const auto started = std::chrono::steady_clock::now();

  const auto outcome = Do(std::move(later));

  ASSERT_TRUE(outcome.response) << outcome.detail;
  EXPECT_GE(std::chrono::steady_clock::now() - started, 300ms);
  EXPECT_EQ(Processed(), 1);
}

TEST_F(ClientTest, DoesNotSendWhatIsTooLateAfterItsDelay) {
  auto later = Post("+4915112345678");
  later.delay = 200ms;

  const auto outcome = Do(std::move(later), 100ms);

  EXPECT_FALSE(outcome.maybe_sent);
  EXPECT_EQ(outcome.failure, Failure::kTimeout);
  EXPECT_EQ(Processed(), 0);
}

TEST_F(ClientTest, DoesNotFollowARedirectWithAPost) {
  AddFault({{"operation", "CreateMessage"},
            {"status", 307},
            {"headers", {{"Location", Post("").url}}},
            {"count", 1}});

  const auto outcome = Do(Post("+4915112345678"));

  ASSERT_TRUE(outcome.response);
  EXPECT_EQ(outcome.response->status, 307);
  EXPECT_EQ(Processed(), 0);
}

TEST_F(ClientTest, SendsCredentialsWithTheFirstRequest) {
  const auto outcome = Do(Post("+4915112345678"));

  ASSERT_TRUE(outcome.response);
  EXPECT_EQ(outcome.response->status, 201);
  EXPECT_EQ(Look("/_fake/stats")["calls"]["CreateMessage"], 1);
}

TEST_F(ClientTest, PassesTheTraceOn) {
  auto request = Post("+4915112345678");
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  request.headers.push_back({"traceparent", trace});

  Do(std::move(request));

  EXPECT_EQ(Look("/_fake/requests")["requests"].back()["traceparent"], trace);
}

TEST_F(ClientTest, RefusesAHeaderThatWouldForgeAnother) {
  auto request = Post("+4915112345678");
  request.headers.push_back({"traceparent", "x\r\nX-Forged: 1"});

  const auto outcome = Do(std::move(request));

  EXPECT_FALSE(outcome.maybe_sent);
  EXPECT_EQ(outcome.failure, Failure::kBroken);
}

TEST_F(ClientTest, ReadsHeadersWithoutRegardToCase) {
  AddFault({{"operation", "CreateMessage"}, {"status", 429}, {"retry_after", 7}});

  const auto outcome = Do(Post("+4915112345678"));

  ASSERT_TRUE(outcome.response);
  EXPECT_EQ(FindHeader(*outcome.response, "retry-after"), "7");
  EXPECT_EQ(FindHeader(*outcome.response, "retry"), "");
}

TEST_F(ClientTest, StopsReadingAnAnswerThatIsTooLarge) {
  Client small(Settings{.max_body = 100});

  const auto outcome =
      small.SendAndWait(Post("+4915112345678"), std::chrono::steady_clock::now() + 5s);

  EXPECT_EQ(outcome.failure, Failure::kTooLarge);
  EXPECT_TRUE(outcome.maybe_sent);
}

// Counts completions of requests sent without waiting.
class Tally {
 public:
  Done Counted() {
    return [this](Outcome outcome) {
      const std::lock_guard lock(mutex_);
      outcomes_.push_back(std::move(outcome));
      changed_.notify_all();
    };
  }
  std::vector<Outcome> WaitFor(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 30s, [&] { return outcomes_.size() >= count; });
    return outcomes_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Outcome> outcomes_;
};

TEST_F(ClientTest, HoldsAThousandRequestsInFlight) {
  constexpr std::size_t kCount = 1024;
  AddFault({{"operation", "CreateMessage"}, {"latency_ms", 1000}});
  Tally tally;
  Client wide(Settings{.max_in_flight = kCount});

  for (std::size_t i = 0; i < kCount; ++i) {
    wide.Send(Post("+49151" + std::to_string(10000000 + i)), std::chrono::steady_clock::now() + 20s,
              tally.Counted());
  }

  const auto outcomes = tally.WaitFor(kCount);
  ASSERT_EQ(outcomes.size(), kCount);
  for (const auto& outcome : outcomes) {
    ASSERT_TRUE(outcome.response) << outcome.detail;
    EXPECT_EQ(outcome.response->status, 201);
  }
  EXPECT_EQ(Look("/_fake/stats")["max_in_flight"], kCount);
}

TEST_F(ClientTest, RefusesMoreThanItsLimitAtOnce) {
  AddFault({{"operation", "CreateMessage"}, {"latency_ms", 300}});
  Tally tally;
  Client narrow(Settings{.max_in_flight = 2});

  for (int i = 0; i < 3; ++i) {
    narrow.Send(Post("+4915112345678"), std::chrono::steady_clock::now() + 5s, tally.Counted());
  }

  const auto outcomes = tally.WaitFor(3);
  ASSERT_EQ(outcomes.size(), 3U);
  EXPECT_EQ(outcomes.front().failure, Failure::kOverloaded);
  EXPECT_FALSE(outcomes.front().maybe_sent);
  EXPECT_TRUE(outcomes.back().response);
}

TEST_F(ClientTest, AnswersWhatIsUnderWayWhenItIsDestroyed) {
  AddFault({{"operation", "CreateMessage"}, {"latency_ms", 2000}});
  Tally tally;
  {
    Client brief{Settings{}};
    brief.Send(Post("+4915112345678"), std::chrono::steady_clock::now() + 5s, tally.Counted());
    while (Look("/_fake/stats")["in_flight"] == 0) std::this_thread::yield();
  }

  const auto outcomes = tally.WaitFor(1);
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(outcomes.front().failure, Failure::kStopped);
  EXPECT_TRUE(outcomes.front().maybe_sent);
}

TEST_F(ClientTest, AnswersWhatIsHeldBackWhenItIsDestroyed) {
  Tally tally;
  {
    Client brief{Settings{}};
    auto later = Post("+4915112345678");
    later.delay = 60s;
    brief.Send(std::move(later), std::chrono::steady_clock::now() + 90s, tally.Counted());
    EXPECT_EQ(brief.InFlight(), 1U);
  }

  const auto outcomes = tally.WaitFor(1);
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(outcomes.front().failure, Failure::kStopped);
  EXPECT_FALSE(outcomes.front().maybe_sent);
}

}  // namespace
}  // namespace countersign::http
