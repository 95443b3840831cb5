#include "services/auth/clients/otp_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <vector>

#include "tests/libs/rpc/backend.h"

namespace countersign::auth {
namespace {

using rpc::Backend;
using rpc::OtpDone;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace otp_v1 = countersign::otp::v1;

// Longer than any of these tests should take, so that a test that hangs fails instead.
constexpr seconds kPatience{20};

struct Service {
  explicit Service(const rpc::Handler<rpc::Request, rpc::Response>& handler,
                   milliseconds cap = kPatience)
      : backend(handler), client(backend.Channel(), cap, random) {}

  SystemRandom random;
  Backend backend;
  OtpClient client;
};

rpc::CallContext Caller(milliseconds left = kPatience) {
  SystemRandom random;
  return {.deadline = std::chrono::steady_clock::now() + left,
          .request_id = "request-7",
          .trace = NewTrace(random)};
}

CodeGuess Guess() {
  SystemRandom random;
  CodeGuess guess{.challenge_id = RandomUuid(random),
                  .purpose = Purpose::kLogin,
                  .code = Secret<std::string>("123456"),
                  .claim_id = {}};
  guess.claim_id.fill(0x5a);
  return guess;
}

Result<Verdict> Ask(OtpClient& client, const rpc::CallContext& call,
                    const CodeGuess& guess = Guess()) {
  std::promise<Result<Verdict>> answered;
  client.Verify(call, guess, [&](const Result<Verdict>& verdict) { answered.set_value(verdict); });
  auto answer = answered.get_future();
  if (answer.wait_for(kPatience) != std::future_status::ready) {
    ADD_FAILURE() << "no answer";
    std::abort();  // the promise must not go before the answer
  }
  return answer.get();
}

Result<Verdict> Ask(OtpClient& client) {
  const rpc::CallContext call = Caller();
  return Ask(client, call);
}

rpc::Handler<rpc::Request, rpc::Response> Saying(otp_v1::Verdict verdict) {
  return [verdict](const rpc::CallContext& /*call*/, const rpc::Request& /*request*/,
                   const OtpDone& done) {
    rpc::Response response;
    response.set_verdict(verdict);
    done(response);
  };
}

// Calls that nobody answers.
class Held {
 public:
  void Keep(const OtpDone& done) {
    const std::scoped_lock lock(mutex_);
    calls_.push_back(done);
  }

 private:
  std::mutex mutex_;
  std::vector<OtpDone> calls_;
};

TEST(OtpClient, TellsEveryVerdict) {
  const std::pair<otp_v1::Verdict, Verdict> verdicts[] = {
      {otp_v1::VERDICT_APPROVED, Verdict::kApproved},
      {otp_v1::VERDICT_WRONG, Verdict::kWrong},
      {otp_v1::VERDICT_EXHAUSTED, Verdict::kExhausted},
      {otp_v1::VERDICT_EXPIRED, Verdict::kExpired},
      {otp_v1::VERDICT_NOT_FOUND, Verdict::kNotFound},
      {otp_v1::VERDICT_USED, Verdict::kUsed}};
  for (const auto& [wire, verdict] : verdicts) {
    Service service(Saying(wire));
    const auto told = Ask(service.client);
    ASSERT_TRUE(told) << told.error().detail;
    EXPECT_EQ(*told, verdict);
  }
}

TEST(OtpClient, SendsTheGuessAsItIs) {
  std::optional<rpc::Request> seen;
  std::string trace;
  std::string request_id;
  Service service(
      [&](const rpc::CallContext& call, const rpc::Request& request, const OtpDone& done) {
        seen = request;
        trace = TraceIdText(call.trace);
        request_id = call.request_id;
        rpc::Approve(call, request, done);
      });
  const rpc::CallContext call = Caller();
  const CodeGuess guess = Guess();
  ASSERT_TRUE(Ask(service.client, call, guess));
  EXPECT_EQ(seen->challenge_id(), ToString(guess.challenge_id));
  EXPECT_EQ(seen->code(), "123456");
  EXPECT_EQ(seen->purpose(), otp_v1::PURPOSE_LOGIN);
  EXPECT_EQ(seen->claim_id(), std::string(32, '\x5a'));
  EXPECT_EQ(trace, TraceIdText(call.trace));
  EXPECT_EQ(request_id, "request-7");
}

TEST(OtpClient, I8_AnAnswerThatIsNoVerdictIsAnError) {
  for (const int verdict : {0, 7, 99}) {
    Service service(Saying(static_cast<otp_v1::Verdict>(verdict)));
    const auto told = Ask(service.client);
    ASSERT_FALSE(told) << verdict;
    EXPECT_EQ(told.error().reason, &reasons::kInternal);
  }
}

TEST(OtpClient, I8_ARefusalIsAnErrorAndIsNotAskedAgain) {
  const std::pair<const Reason*, const Reason*> refusals[] = {
      {&reasons::kFieldInvalid, &reasons::kInternal},
      {&reasons::kCredentialsMissing, &reasons::kDependencyUnavailable},
      {&reasons::kCallerNotAllowed, &reasons::kDependencyUnavailable},
      {&reasons::kOverloaded, &reasons::kOverloaded},
      {&reasons::kDependencyUnavailable, &reasons::kDependencyUnavailable},
      {&reasons::kDeadlineExceeded, &reasons::kDeadlineExceeded},
      {&reasons::kInternal, &reasons::kInternal}};
  for (const auto& [refusal, told_reason] : refusals) {
    std::atomic<int> asked = 0;
    Service service([&, refusal = refusal](const rpc::CallContext& /*call*/,
                                           const rpc::Request& /*request*/, const OtpDone& done) {
      ++asked;
      done(Fail(*refusal));
    });
    const auto told = Ask(service.client);
    ASSERT_FALSE(told) << refusal->word;
    EXPECT_EQ(told.error().reason, told_reason) << refusal->word;
    EXPECT_EQ(asked, 1) << refusal->word;
  }
}

TEST(OtpClient, I8_NobodyThereIsAnErrorThatSaysWhere) {
  SystemRandom random;
  OtpClient client(rpc::MakeChannel({.target = "127.0.0.1:1"}), kPatience, random);
  const auto told = Ask(client);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().reason, &reasons::kDependencyUnavailable);
  EXPECT_THAT(told.error().detail, ::testing::HasSubstr("127.0.0.1:1"));
}

TEST(OtpClient, ALostAnswerIsAskedForOnceMoreWithTheSameClaim) {
  std::vector<std::string> claims;
  Service service(
      [&](const rpc::CallContext& call, const rpc::Request& request, const OtpDone& done) {
        claims.push_back(request.claim_id());
        if (claims.size() == 1) return done(Fail(reasons::kOutcomeUnknown));
        rpc::Approve(call, request, done);
      });
  const auto told = Ask(service.client);
  ASSERT_TRUE(told) << told.error().detail;
  EXPECT_EQ(*told, Verdict::kApproved);
  EXPECT_EQ(claims, std::vector(2, std::string(32, '\x5a')));
}

TEST(OtpClient, ASecondLostAnswerIsAnError) {
  std::atomic<int> asked = 0;
  Service service(
      [&](const rpc::CallContext& /*call*/, const rpc::Request& /*request*/, const OtpDone& done) {
        ++asked;
        done(Fail(reasons::kOutcomeUnknown));
      });
  const auto told = Ask(service.client);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().reason, &reasons::kOutcomeUnknown);
  EXPECT_EQ(asked, 2);
}

TEST(OtpClient, ACheckEndsWithTheCallersTimeOrItsOwn) {
  std::vector<OtpDone> held;
  Service service([&](const rpc::CallContext& /*call*/, const rpc::Request& /*request*/,
                      const OtpDone& done) { held.push_back(done); },
                  milliseconds(200));
  for (const milliseconds left : {milliseconds(100), milliseconds(kPatience)}) {
    const rpc::CallContext call = Caller(left);
    const auto told = Ask(service.client, call);
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().reason, &reasons::kDeadlineExceeded);
  }
  const rpc::CallContext late = Caller(milliseconds(0));
  EXPECT_EQ(Ask(service.client, late).error().reason, &reasons::kDeadlineExceeded);
}

// The last owner of a channel must not be a thread of the channel's own: grpc would have it wait
// for itself, and go on with what it had freed.
TEST(OtpClient, GoesAsSoonAsItHasAnswered) {
  for (int i = 0; i < 300; ++i) {
    Service service(rpc::Approve);
    ASSERT_TRUE(Ask(service.client));
  }
}

TEST(OtpClient, StopAnswersWhatIsUnderWayAndRefusesTheRest) {
  Held held;
  std::promise<void> arrived;
  Service service(
      [&](const rpc::CallContext& /*call*/, const rpc::Request& /*request*/, const OtpDone& done) {
        held.Keep(done);
        arrived.set_value();
      });
  const rpc::CallContext call = Caller();
  std::optional<Result<Verdict>> told;
  service.client.Verify(call, Guess(), [&](const Result<Verdict>& verdict) { told = verdict; });
  arrived.get_future().wait();
  service.client.Stop();
  ASSERT_TRUE(told);
  EXPECT_FALSE(*told);
  EXPECT_EQ(Ask(service.client).error().reason, &reasons::kDependencyUnavailable);
}

}  // namespace
}  // namespace countersign::auth
