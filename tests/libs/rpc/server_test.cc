#include "libs/rpc/server.h"

#include <gmock/gmock.h>
#include <grpcpp/health_check_service_interface.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "libs/config/load.h"
#include "tests/libs/rpc/backend.h"
#include "tests/libs/rpc/wire.h"

namespace countersign::rpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Deadline In(milliseconds time) { return std::chrono::steady_clock::now() + time; }

TEST(IsLoopback, KnowsAddressesAndIsNotFooledByNames) {
  for (const auto* address : {"127.0.0.1:1", "127.9.9.9:0", "[::1]:0", "::1", "localhost:5",
                              "unix:/run/x", "localhost"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const auto* address : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.0.0.1.example.com:1",
                              "localhost.example.com:1", ":1", "", "[::ffff:127.0.0.1]:1"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

TEST(Server, NET1_RefusesPlaintextOffLoopback) {
  EXPECT_THROW(Backend(Approve, {.listen = "0.0.0.0:0"}), config::Fault);
  EXPECT_THROW((void)MakeChannel({.target = "10.0.0.1:1"}), config::Fault);
}

TEST(Server, RefusesAPortThatIsTaken) {
  Backend first;
  EXPECT_THROW(Backend(Approve, {.listen = first.server().address()}), config::Fault);
}

TEST(Server, NET5_RefusesAServiceWithAMethodMissing) {
  const tests::LogSink sink;
  const log::Logger logger("test", log::Level::kInfo, sink.fd());
  metrics::Registry metrics;
  SystemRandom random;
  Guard guard({}, logger, metrics, random);
  Service service(guard, kOtpService);
  EXPECT_THROW(Server({.listen = "127.0.0.1:0"}, {&service}), std::logic_error);
  EXPECT_THROW(Service(guard, "no.such.Service"), std::logic_error);
  EXPECT_THROW((service.Unary<Request, Request>("VerifyOtp", Access::Anyone(),
                                                [](const auto&, const auto&, const auto&) {})),
               std::logic_error);
}

TEST(Server, NET2_RefusesARequestOrMetadataBeyondItsLimits) {
  const Backend backend;
  Request large;
  large.set_code(std::string(65 * 1024, 'a'));
  EXPECT_EQ(backend.Verify(large).status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  Request fits;
  fits.set_code(std::string(63 * 1024, 'a'));
  EXPECT_TRUE(backend.Verify(fits).status.ok());
  const auto stuffed = backend.Verify({}, [](grpc::ClientContext& context) {
    context.AddMetadata("x-stuffing", std::string(9 * 1024, 'a'));
  });
  EXPECT_EQ(stuffed.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST(Server, ServesHealthForItselfAndItsServices) {
  const Backend backend;
  const auto channel = backend.Channel();
  EXPECT_EQ(wire::Health(channel, ""), "SERVING");
  EXPECT_EQ(wire::Health(channel, kOtpService), "SERVING");
  EXPECT_EQ(wire::Health(channel, "other"), "NOT_FOUND");
}

TEST(Server, ReflectionIsOffUnlessSwitchedOn) {
  const Backend closed;
  EXPECT_FALSE(wire::HasReflection(closed.Channel()));
  const Backend open(Approve, {.reflection = true});
  EXPECT_TRUE(wire::HasReflection(open.Channel()));
  const Backend closed_after;
  EXPECT_FALSE(wire::HasReflection(closed_after.Channel()));
}

TEST(Server, StopLetsAnAcceptedCallFinish) {
  std::promise<OtpDone> accepted;
  Backend backend(
      [&](const CallContext&, const Request&, const OtpDone& done) { accepted.set_value(done); });
  auto answer = std::async(std::launch::async, [&] { return backend.Verify(); });
  const OtpDone done = accepted.get_future().get();
  auto stopped = std::async(std::launch::async, [&] { backend.server().Stop(In(seconds(5))); });
  EXPECT_EQ(stopped.wait_for(milliseconds(100)), std::future_status::timeout);
  done(Response());
  EXPECT_TRUE(answer.get().status.ok());
  stopped.get();
  EXPECT_EQ(backend.Verify().status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(Server, StopEndsAtItsDeadlineEvenIfAHandlerNeverAnswers) {
  std::promise<OtpDone> accepted;
  Backend backend(
      [&](const CallContext&, const Request&, const OtpDone& done) { accepted.set_value(done); });
  auto answer = std::async(std::launch::async, [&] { return backend.Verify(); });
  const OtpDone done = accepted.get_future().get();
  const auto began = std::chrono::steady_clock::now();
  backend.server().Stop(In(milliseconds(200)));
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(3));
  EXPECT_FALSE(answer.get().status.ok());
  done(Response());
}

TEST(Server, StopUnderLoadFailsNoAcceptedCall) {
  std::atomic<int> accepted{0};
  std::atomic<int> answered_ok{0};
  Backend backend([&](const CallContext& call, const Request& request, OtpDone done) {
    ++accepted;
    std::thread([&call, &request, done = std::move(done)] {
      std::this_thread::sleep_for(milliseconds(2));
      Approve(call, request, done);
    }).detach();
  });
  std::atomic<bool> over{false};
  constexpr int kClients = 8;
  std::vector<std::jthread> clients;
  clients.reserve(kClients);
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      const auto channel = backend.Channel();
      while (!over) {
        const auto answer = Backend::VerifyOn(channel);
        if (answer.status.ok()) ++answered_ok;
        // What was on the way when grpc began to shut down it cancels, before any code of ours.
        EXPECT_THAT(answer.status.error_code(),
                    ::testing::AnyOf(grpc::StatusCode::OK, grpc::StatusCode::UNAVAILABLE,
                                     grpc::StatusCode::CANCELLED));
      }
    });
  }
  while (accepted < 200) std::this_thread::yield();
  backend.server().Stop(In(seconds(5)));
  over = true;
  clients.clear();
  EXPECT_EQ(answered_ok, accepted);
}

}  // namespace
}  // namespace countersign::rpc
