#include <fmt/format.h>

#include <atomic>

#include "bench/load/scenario.h"
#include "countersign/auth/v1/auth.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace countersign::bench {
namespace {

using auth::v1::AuthService;
using Stubs = std::vector<std::unique_ptr<AuthService::Stub>>;

Stubs MakeStubs(const Target& target) {
  Stubs stubs;
  stubs.reserve(static_cast<std::size_t>(target.channels));
  for (const auto& channel : Connect(target)) stubs.push_back(AuthService::NewStub(channel));
  return stubs;
}

template <typename Request, typename Response>
struct Call {
  grpc::ClientContext context;
  Request request;
  Response response;
};

template <typename Request, typename Response>
std::shared_ptr<Call<Request, Response>> NewCall() {
  auto call = std::make_shared<Call<Request, Response>>();
  call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  return call;
}

std::string PhoneNumber(std::uint64_t number) {
  return fmt::format("+49151{:08}", number % 100'000'000);
}

class Signup final : public Scenario {
 public:
  Signup(const Target& target, std::uint64_t first) : stubs_(MakeStubs(target)), first_(first) {}

  void Issue(std::uint64_t sequence, Done done) override {
    auto call =
        NewCall<auth::v1::SignupWithPhoneNumberRequest, auth::v1::SignupWithPhoneNumberResponse>();
    call->request.set_phone_number(PhoneNumber(first_ + sequence));
    call->request.set_first_name("Ada");
    call->request.set_last_name("Lovelace");
    stubs_[sequence % stubs_.size()]->async()->SignupWithPhoneNumber(
        &call->context, &call->request, &call->response,
        [call, done = std::move(done)](const grpc::Status& status) { done(OutcomeOf(status)); });
  }

 private:
  Stubs stubs_;
  std::uint64_t first_;
};

class Login final : public Scenario {
 public:
  Login(const Target& target, std::uint64_t first, std::uint64_t numbers)
      : stubs_(MakeStubs(target)), first_(first), numbers_(numbers) {}

  void Issue(std::uint64_t sequence, Done done) override {
    auto call =
        NewCall<auth::v1::LoginWithPhoneNumberRequest, auth::v1::LoginWithPhoneNumberResponse>();
    call->request.set_phone_number(PhoneNumber(first_ + sequence % numbers_));
    auto& stub = *stubs_[sequence % stubs_.size()];
    stub.async()->LoginWithPhoneNumber(
        &call->context, &call->request, &call->response,
        [&stub, call, done = std::move(done)](const grpc::Status& status) {
          if (!status.ok()) return done("login " + OutcomeOf(status));
          Validate(stub, call->response.verification().verification_id(), done);
        });
  }

 private:
  static void Validate(AuthService::Stub& stub, const std::string& verification_id,
                       const Done& done) {
    auto call = NewCall<auth::v1::ValidatePhoneNumberLoginRequest,
                        auth::v1::ValidatePhoneNumberLoginResponse>();
    call->request.set_verification_id(verification_id);
    call->request.set_code("123456");
    stub.async()->ValidatePhoneNumberLogin(
        &call->context, &call->request, &call->response, [call, done](const grpc::Status& status) {
          done(status.ok() ? "" : "validate " + OutcomeOf(status));
        });
  }

  Stubs stubs_;
  std::uint64_t first_;
  std::uint64_t numbers_;
};

class Introspect final : public Scenario {
 public:
  Introspect(const Target& target, std::vector<std::string> tokens)
      : stubs_(MakeStubs(target)), tokens_(std::move(tokens)) {}

  void Issue(std::uint64_t sequence, Done done) override {
    auto call = NewCall<auth::v1::IntrospectTokenRequest, auth::v1::IntrospectTokenResponse>();
    call->request.set_token(tokens_[sequence % tokens_.size()]);
    stubs_[sequence % stubs_.size()]->async()->IntrospectToken(
        &call->context, &call->request, &call->response,
        [call, done = std::move(done)](const grpc::Status& status) {
          if (!status.ok()) return done(OutcomeOf(status));
          done(call->response.active() ? "" : "inactive");
        });
  }

 private:
  Stubs stubs_;
  std::vector<std::string> tokens_;
};

}  // namespace

std::vector<std::shared_ptr<grpc::Channel>> Connect(const Target& target) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  channels.reserve(static_cast<std::size_t>(target.channels));
  for (int i = 0; i < target.channels; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channels.push_back(
        grpc::CreateCustomChannel(target.address, grpc::InsecureChannelCredentials(), arguments));
  }
  return channels;
}

std::string OutcomeOf(const grpc::Status& status) {
  if (status.ok()) return "";
  google::rpc::Status details;
  if (details.ParseFromString(status.error_details())) {
    google::rpc::ErrorInfo info;
    for (const auto& detail : details.details()) {
      if (detail.UnpackTo(&info)) return info.reason();
    }
  }
  return fmt::format("code {}", static_cast<int>(status.error_code()));
}

std::unique_ptr<Scenario> MakeSignup(const Target& target, std::uint64_t first_number) {
  return std::make_unique<Signup>(target, first_number);
}
std::unique_ptr<Scenario> MakeLogin(const Target& target, std::uint64_t first_number,
                                    std::uint64_t numbers) {
  return std::make_unique<Login>(target, first_number, numbers);
}
std::unique_ptr<Scenario> MakeIntrospect(const Target& target, std::vector<std::string> tokens) {
  return std::make_unique<Introspect>(target, std::move(tokens));
}

}  // namespace countersign::bench
