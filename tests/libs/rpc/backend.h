#pragma once
// A real server on a free port with the otp contract's service, whose handler the test gives.
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "countersign/otp/v1/otp.grpc.pb.h"
#include "libs/core/random.h"
#include "libs/log/logger.h"
#include "libs/metrics/registry.h"
#include "libs/rpc/client.h"
#include "libs/rpc/guard.h"
#include "libs/rpc/server.h"
#include "libs/rpc/service.h"
#include "tests/support/log_sink.h"

namespace countersign::rpc {

using Request = otp::v1::VerifyOtpRequest;
using Response = otp::v1::VerifyOtpResponse;
using OtpDone = Done<Response>;

inline constexpr auto kOtpService = "countersign.otp.v1.OtpService";

// Answers APPROVED.
inline void Approve(const CallContext& /*call*/, const Request& /*request*/, const OtpDone& done) {
  Response response;
  response.set_verdict(otp::v1::VERDICT_APPROVED);
  done(response);
}

class Backend {
 public:
  explicit Backend(Handler<Request, Response> handler = Approve, ServerSettings settings = {},
                   const Access& access = Access::Anyone())
      : logger_("test", log::Level::kInfo, sink_.fd()),
        guard_(settings.guard, logger_, metrics_, random_),
        service_(guard_, kOtpService) {
    service_.Unary<Request, Response>("VerifyOtp", access, std::move(handler));
    if (settings.listen == ServerSettings{}.listen) settings.listen = "127.0.0.1:0";
    server_ = std::make_unique<Server>(settings, std::vector{&service_});
  }

  [[nodiscard]] const tests::LogSink& sink() const { return sink_; }
  [[nodiscard]] metrics::Registry& metrics() { return metrics_; }
  [[nodiscard]] Server& server() { return *server_; }

  [[nodiscard]] std::shared_ptr<grpc::Channel> Channel(ChannelSettings settings = {}) const {
    settings.target = server_->address();
    return MakeChannel(settings);
  }

  struct Answer {
    grpc::Status status;
    Response response;
  };
  // One call with 5 s unless `prepare` sets another deadline.
  [[nodiscard]] Answer Verify(
      const Request& request = {},
      const std::function<void(grpc::ClientContext&)>& prepare = nullptr) const {
    return VerifyOn(Channel(), request, prepare);
  }
  [[nodiscard]] static Answer VerifyOn(
      const std::shared_ptr<grpc::Channel>& channel, const Request& request = {},
      const std::function<void(grpc::ClientContext&)>& prepare = nullptr) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    if (prepare) prepare(context);
    Answer answer;
    answer.status =
        otp::v1::OtpService::NewStub(channel)->VerifyOtp(&context, request, &answer.response);
    return answer;
  }

 private:
  tests::LogSink sink_;
  log::Logger logger_;
  metrics::Registry metrics_;
  SystemRandom random_;
  Guard guard_;
  Service service_;
  std::unique_ptr<Server> server_;
};

}  // namespace countersign::rpc
