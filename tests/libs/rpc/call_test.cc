// What the guard does around a handler.
#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <gtest/gtest.h>

#include <mutex>
#include <stdexcept>
#include <thread>

#include "tests/libs/rpc/backend.h"
#include "tests/libs/rpc/wire.h"

namespace countersign::rpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  for (const auto& any : details.details()) {
    google::rpc::ErrorInfo info;
    if (any.UnpackTo(&info)) return info.reason();
  }
  return {};
}

std::string FieldOf(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  for (const auto& any : details.details()) {
    google::rpc::BadRequest bad;
    if (any.UnpackTo(&bad)) return bad.field_violations(0).field();
  }
  return {};
}

// What one call's handler saw.
struct Seen {
  std::mutex mutex;
  std::string request_id, traceparent, peer_ip, user_agent, bearer, identity;
  milliseconds left{0};

  Handler<Request, Response> Recorder() {
    return [this](const CallContext& call, const Request& request, const OtpDone& done) {
      {
        const std::scoped_lock lock(mutex);
        request_id = call.request_id;
        traceparent = call.traceparent();
        peer_ip = call.peer_ip;
        user_agent = call.user_agent;
        bearer = call.bearer.Reveal();
        identity = call.identity;
        left = TimeLeft(call.deadline);
      }
      Approve(call, request, done);
    };
  }
};

// Sends raw bytes as VerifyOtp's request.
grpc::Status SendBytes(const Backend& backend, const std::string& bytes) {
  return wire::Call(backend.Channel(), "/countersign.otp.v1.OtpService/VerifyOtp", bytes).status;
}

TEST(Call, AnswersFromAnyThread) {
  const Backend backend([](const CallContext& call, const Request& request, OtpDone done) {
    std::thread([&call, &request, done = std::move(done)] {
      Response response;
      response.set_attempts_left(static_cast<int>(request.code().size()));
      EXPECT_FALSE(call.Over());
      done(response);
    }).detach();
  });
  Request request;
  request.set_code("123456");
  EXPECT_EQ(backend.Verify(request).response.attempts_left(), 6);
}

TEST(Call, TellsTheHandlerWhoCallsAndForHowLong) {
  Seen seen;
  const Backend backend(seen.Recorder());
  const auto answer = backend.Verify({}, [](grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + seconds(2));
    context.AddMetadata("x-request-id", "client-1.a_B");
    context.AddMetadata("authorization", "bearer abc.def");
    context.AddMetadata("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  });
  ASSERT_TRUE(answer.status.ok());
  EXPECT_EQ(seen.request_id, "client-1.a_B");
  EXPECT_EQ(seen.bearer, "abc.def");
  EXPECT_THAT(seen.traceparent, HasSubstr("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
  EXPECT_THAT(seen.traceparent, Not(HasSubstr("00f067aa0ba902b7")));
  EXPECT_EQ(seen.peer_ip, "127.0.0.1");
  EXPECT_THAT(seen.user_agent, HasSubstr("grpc-c++"));
  EXPECT_EQ(seen.identity, "");
  EXPECT_GT(seen.left, milliseconds(1000));
  EXPECT_LE(seen.left, milliseconds(2050));  // grpc rounds a timeout up on its way
}

TEST(Call, LOG1_MakesIdsOfItsOwnWhenTheCallersAreNotWellFormed) {
  Seen seen;
  const Backend backend(seen.Recorder());
  ASSERT_TRUE(backend
                  .Verify({},
                          [](grpc::ClientContext& context) {
                            context.AddMetadata("x-request-id", "a\"} forged");
                            context.AddMetadata("traceparent", "00-zz");
                          })
                  .status.ok());
  EXPECT_EQ(seen.request_id.size(), 24U);
  EXPECT_TRUE(ParseTraceparent(seen.traceparent));
}

TEST(Call, NET4_CapsTheDeadlineAndGivesOneToACallWithout) {
  Seen seen;
  const Backend backend(seen.Recorder(), {.guard = {.deadline = milliseconds(700)}});
  ASSERT_TRUE(backend
                  .Verify({},
                          [](grpc::ClientContext& context) {
                            context.set_deadline(std::chrono::system_clock::time_point::max());
                          })
                  .status.ok());
  EXPECT_LE(seen.left, milliseconds(700));
  EXPECT_GT(seen.left, milliseconds(0));
}

TEST(Call, TwoBearerTokensAreNone) {
  Seen seen;
  const Backend backend(seen.Recorder(), {}, Access::Bearer());
  EXPECT_EQ(ReasonOf(backend.Verify().status), "CREDENTIALS_MISSING");
  const auto both = backend.Verify({}, [](grpc::ClientContext& context) {
    context.AddMetadata("authorization", "Bearer one");
    context.AddMetadata("authorization", "Bearer two");
  });
  EXPECT_EQ(ReasonOf(both.status), "CREDENTIALS_MISSING");
  EXPECT_EQ(both.status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST(Call, ARefusalIsAStatusWithDetails) {
  const Backend backend([](const CallContext&, const Request&, const OtpDone& done) {
    done(Fail(reasons::kResendTooSoon, {.retry_after = seconds(30)}));
  });
  const auto answer = backend.Verify();
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(answer.status), "RESEND_TOO_SOON");
}

TEST(Call, AnExceptionIsInternalWithoutItsText) {
  const Backend backend([](const CallContext&, const Request&, const OtpDone&) {
    throw std::runtime_error("relation users of 10.0.0.7 is gone");
  });
  const auto answer = backend.Verify();
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(answer.status.error_message(), Not(HasSubstr("users")));
  EXPECT_THAT(answer.status.error_details(), Not(HasSubstr("users")));
  const auto line = backend.sink().WaitFor(1)[0];
  EXPECT_EQ(line["level"], "error");
  EXPECT_EQ(line["detail"], "relation users of 10.0.0.7 is gone");
}

TEST(Call, ADroppedCallIsAnsweredAsInternal) {
  const Backend backend([](const CallContext&, const Request&, const OtpDone&) {});
  EXPECT_EQ(backend.Verify().status.error_code(), grpc::StatusCode::INTERNAL);
}

TEST(Call, OnlyTheFirstAnswerCounts) {
  const Backend backend([](const CallContext& call, const Request& request, const OtpDone& done) {
    Approve(call, request, done);
    done(Fail(reasons::kOverloaded));
  });
  EXPECT_TRUE(backend.Verify().status.ok());
}

TEST(Call, NulAndBrokenUtf8AreInvalidArgumentsWithTheField) {
  const Backend backend;
  Request nul;
  nul.set_code(
      std::string("1\0"
                  "23",
                  4));
  const auto answer = backend.Verify(nul);
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(FieldOf(answer.status), "code");

  const grpc::Status broken = SendBytes(backend, std::string("\x12\x03") + "a\xc3(");
  EXPECT_EQ(broken.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(FieldOf(broken), "code");
}

TEST(Call, AnUndecodableRequestIsAnInvalidArgument) {
  const Backend backend;
  for (const auto* bytes : {"\xff\xff\xff\xff", "\x0a\x7f", "\x07"}) {
    const grpc::Status status = SendBytes(backend, bytes);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(FieldOf(status), "request");
  }
}

TEST(Call, WritesOneLineAndCountsOnce) {
  Backend backend([](const CallContext&, const Request& request, const OtpDone& done) {
    if (request.code().empty()) return done(Fail(reasons::kCodeRejected, {.detail = "empty"}));
    done(Response());
  });
  Request request;
  request.set_code("314159");
  ASSERT_TRUE(backend.Verify(request).status.ok());
  ASSERT_FALSE(backend.Verify().status.ok());
  const auto lines = backend.sink().WaitFor(2);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["rpc"], "VerifyOtp");
  EXPECT_EQ(lines[0]["code"], "OK");
  EXPECT_FALSE(lines[0].contains("reason"));
  EXPECT_EQ(lines[1]["code"], "UNAUTHENTICATED");
  EXPECT_EQ(lines[1]["reason"], "CODE_REJECTED");
  EXPECT_EQ(lines[1]["detail"], "empty");
  EXPECT_EQ(lines[1]["trace_id"].get<std::string>().size(), 32U);
  EXPECT_THAT(backend.sink().Text(), Not(HasSubstr("314159")));
  EXPECT_THAT(backend.metrics().Text(),
              HasSubstr("rpc_requests_total{code=\"OK\",reason=\"\",rpc=\"VerifyOtp\"} 1"));
  EXPECT_THAT(backend.metrics().Text(), HasSubstr("rpc_seconds_count{rpc=\"VerifyOtp\"} 2"));
  EXPECT_THAT(backend.metrics().Text(), HasSubstr("rpc_in_flight{rpc=\"VerifyOtp\"} 0"));
}

TEST(Call, ACallerWhoHasGoneFreesTheCallEvenIfTheHandlerNeverAnswers) {
  std::mutex mutex;
  std::vector<OtpDone> kept;
  std::atomic<const CallContext*> seen{nullptr};
  Backend backend([&](const CallContext& call, const Request&, const OtpDone& done) {
    const std::scoped_lock lock(mutex);
    kept.push_back(done);
    seen = &call;
  });
  const auto answer = backend.Verify({}, [](grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + milliseconds(100));
  });
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(backend.sink().WaitFor(1)[0]["reason"], "DEADLINE_EXCEEDED");
  ASSERT_NE(seen.load(), nullptr);
  EXPECT_TRUE(seen.load()->Over());  // the kept Done keeps the context
  kept[0](Response());               // dropped, harmless
}

}  // namespace
}  // namespace countersign::rpc
