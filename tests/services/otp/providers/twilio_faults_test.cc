// The promise about every send, whatever happens on the way: at most one is processed, and an
// outcome that allows another try means that none was.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>

#include "tests/services/otp/providers/at_fake.h"

namespace countersign::otp::providers {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

struct FaultCase {
  const char* name;
  json rule;
  SendStatus status;
  int processed;  // in the end
};

std::vector<FaultCase> FaultCases() {
  return {
      {"reset before the effect", {{"drop", "before"}}, SendStatus::kUnknown, 0},
      {"reset after the effect", {{"drop", "after"}}, SendStatus::kUnknown, 1},
      {"closed before the effect", {{"drop", "before"}, {"reset", false}}, SendStatus::kUnknown, 0},
      {"closed after the effect", {{"drop", "after"}, {"reset", false}}, SendStatus::kUnknown, 1},
      {"reset after the effect, then refused",
       {{"drop", "after"}, {"refuse_ms", 50}},
       SendStatus::kUnknown,
       1},
      {"slow before the effect", {{"latency_ms", 700}}, SendStatus::kUnknown, 1},
      {"slow after the effect", {{"latency_after_ms", 700}}, SendStatus::kUnknown, 1},
      {"500 before the effect", {{"status", 500}}, SendStatus::kUnknown, 0},
      {"500 after the effect", {{"status", 500}, {"effect", "after"}}, SendStatus::kUnknown, 1},
      {"502 in html", {{"status", 502}, {"body", "html"}}, SendStatus::kUnknown, 0},
      {"503 after the effect, in html",
       {{"status", 503}, {"effect", "after"}, {"body", "html"}},
       SendStatus::kUnknown,
       1},
      {"504", {{"status", 504}}, SendStatus::kUnknown, 0},
      {"success in html", {{"body", "html"}}, SendStatus::kUnknown, 1},
      {"success, empty", {{"body", "empty"}}, SendStatus::kUnknown, 1},
      {"success, truncated", {{"body", "truncated"}}, SendStatus::kUnknown, 1},
      {"success with a malformed sid", {{"malformed_sid", true}}, SendStatus::kUnknown, 1},
      {"429", {{"status", 429}}, SendStatus::kNotSent, 0},
      {"429 with a time", {{"status", 429}, {"retry_after", "2"}}, SendStatus::kNotSent, 0},
      {"429 in html", {{"status", 429}, {"body", "html"}}, SendStatus::kNotSent, 0},
      {"429, empty", {{"status", 429}, {"body", "empty"}}, SendStatus::kNotSent, 0},
      {"closed after the answer", {{"close_silently", true}}, SendStatus::kSent, 1},
  };
}

class Faults : public testing::TestWithParam<const char*> {
 protected:
  // One send that goes well, so that the next one uses its connection again.
  void OpenConnection() {
    ASSERT_EQ(SendNow(*provider_, at_.Order("+4915100000000")).status, SendStatus::kSent);
  }
  // Waits until the fake listens again and has nothing under way: it finishes what a client gave
  // up.
  void Settle() {
    ASSERT_GE(twilio_fake::Steering(at_.fake.url()).Processed(), 0);
    const auto end = In(5s);
    while (at_.steering.Look("/_fake/stats")["in_flight"] != 0 && TimeLeft(end).count() > 0) {
      std::this_thread::sleep_for(5ms);
    }
  }

  AtFake at_;
  std::unique_ptr<Provider> provider_ = at_.Make(GetParam());
};

TEST_P(Faults, ProcessAtMostOneSendAndTellWhetherItMayHaveHappened) {
  for (const bool reuse : {false, true}) {
    for (const FaultCase& each : FaultCases()) {
      SCOPED_TRACE(std::string(each.name) + (reuse ? ", connection used again" : ""));
      provider_ = at_.Make(GetParam());
      if (reuse) OpenConnection();
      const int before = at_.steering.Processed();
      json rule = each.rule;
      rule["operation"] = "Create*";
      rule["count"] = 1;
      at_.steering.AddFault(rule);

      const auto outcome = SendNow(*provider_, at_.Order(), 400ms);
      Settle();

      EXPECT_EQ(outcome.status, each.status) << outcome.detail;
      EXPECT_EQ(at_.steering.Processed() - before, each.processed) << outcome.detail;
      EXPECT_EQ(outcome.provider_sid.empty(), outcome.status != SendStatus::kSent);
      at_.steering.Reset();
    }
  }
}

TEST_P(Faults, DoNotFollowARedirect) {
  at_.steering.AddFault({{"operation", "Create*"},
                         {"status", 307},
                         {"headers", {{"Location", at_.fake.url() + "/elsewhere"}}},
                         {"count", 1}});

  const auto outcome = SendNow(*provider_, at_.Order());

  EXPECT_EQ(outcome.status, SendStatus::kUnknown);
  EXPECT_EQ(at_.steering.Look("/_fake/requests")["requests"].size(), 1U);
}

TEST_P(Faults, CallASendThatNeverLeftNotSent) {
  auto config = at_.ConfigFor(GetParam());
  config.twilio.verify_url = config.twilio.api_url = "http://127.0.0.1:1";
  const auto nobody = at_.Make(config);

  config.twilio.verify_url = config.twilio.api_url = "https" + at_.fake.url().substr(4);
  const auto without_tls = at_.Make(config);

  EXPECT_EQ(SendNow(*nobody, at_.Order()).status, SendStatus::kNotSent);
  EXPECT_EQ(SendNow(*without_tls, at_.Order()).status, SendStatus::kNotSent);
  EXPECT_EQ(SendNow(*provider_, at_.Order(), -1ms).status, SendStatus::kNotSent);
  EXPECT_EQ(at_.steering.Processed(), 0);
}

TEST_P(Faults, CallASendBeyondTheLimitNotSent) {
  auto config = at_.ConfigFor(GetParam());
  config.twilio.max_in_flight = 1;
  const auto narrow = at_.Make(config);
  at_.steering.AddFault({{"operation", "Create*"}, {"latency_ms", 300}});
  std::promise<SendOutcome> first;
  narrow->Send(at_.Order(), In(kPatience),
               [&](const SendOutcome& outcome) { first.set_value(outcome); });

  EXPECT_EQ(SendNow(*narrow, at_.Order("+4915100000001")).status, SendStatus::kNotSent);

  EXPECT_EQ(first.get_future().get().status, SendStatus::kSent);
  EXPECT_EQ(at_.steering.Processed(), 1);
}

TEST_P(Faults, EndOneRequestAfterItsOwnTime) {
  auto config = at_.ConfigFor(GetParam());
  config.twilio.request_timeout = 200ms;
  const auto hasty = at_.Make(config);
  at_.steering.AddFault({{"operation", "Create*"}, {"latency_ms", 3000}, {"count", 1}});
  const auto started = std::chrono::steady_clock::now();

  EXPECT_EQ(SendNow(*hasty, at_.Order(), 60s).status, SendStatus::kUnknown);

  EXPECT_LT(std::chrono::steady_clock::now() - started, 2s);
}

TEST_P(Faults, AnswerWhatIsUnderWayWhenTheProviderEnds) {
  at_.steering.AddFault({{"operation", "Create*"}, {"latency_ms", 2000}, {"count", 1}});
  std::promise<SendOutcome> answered;
  provider_->Send(at_.Order(), In(kPatience),
                  [&](SendOutcome outcome) { answered.set_value(std::move(outcome)); });
  while (at_.steering.Look("/_fake/stats")["in_flight"] == 0) std::this_thread::yield();

  provider_.reset();

  EXPECT_EQ(answered.get_future().get().status, SendStatus::kUnknown);
}

// Many sends at once through every kind of fault by chance. The ledger of the fake is the truth.
TEST_P(Faults, NeverBreakThePromiseInAStorm) {
  constexpr int kSends = 600;
  int seed = 1;
  for (const FaultCase& each : FaultCases()) {
    json rule = each.rule;
    rule["operation"] = "Create*";
    rule["probability"] = 0.04;
    rule["seed"] = seed++;
    at_.steering.AddFault(rule);
  }
  std::mutex mutex;
  std::map<std::string, SendOutcome> outcomes;
  std::atomic<int> answered{0};
  for (int i = 0; i < kSends; ++i) {
    SendOrder order = at_.Order("+49151" + std::to_string(10'000'000 + i));
    const std::string attempt = ToString(order.attempt_id);
    provider_->Send(std::move(order), In(5s), [&, attempt](SendOutcome outcome) {
      {
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(outcomes.emplace(attempt, std::move(outcome)).second) << "answered twice";
      }
      ++answered;
    });
    if (i % 16 == 0) std::this_thread::sleep_for(5ms);
  }
  const auto end = In(20s);
  while (answered < kSends && TimeLeft(end).count() > 0) std::this_thread::sleep_for(5ms);
  ASSERT_EQ(answered, kSends);
  Settle();

  std::map<std::string, int> processed;
  const json ledger = at_.steering.Look("/_fake/ledger");
  for (const auto& line : ledger["sends"]) {
    ++processed[line["attempt_id"].get<std::string>()];
  }
  std::map<SendStatus, int> seen;
  for (const auto& [attempt, outcome] : outcomes) {
    const int count = processed.contains(attempt) ? processed.at(attempt) : 0;
    ++seen[outcome.status];
    EXPECT_LE(count, outcome.status == SendStatus::kNotSent ? 0 : 1) << outcome.detail;
    EXPECT_GE(count, outcome.status == SendStatus::kSent ? 1 : 0) << outcome.detail;
    EXPECT_EQ(outcome.detail.find("+49151"), std::string::npos);
  }
  EXPECT_GT(seen[SendStatus::kSent], 0);
  EXPECT_GT(seen[SendStatus::kNotSent], 0);
  EXPECT_GT(seen[SendStatus::kUnknown], 0);
}

INSTANTIATE_TEST_SUITE_P(Providers, Faults, testing::Values("twilio-verify", "twilio-messaging"),
                         NameOf);

}  // namespace
}  // namespace countersign::otp::providers
