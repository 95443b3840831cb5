#pragma once
// The composed service on a real PostgreSQL, with an otp service that the test plays.
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "countersign/auth/v1/auth.grpc.pb.h"
#include "libs/config/load.h"
#include "libs/rpc/status.h"
#include "services/auth/app.h"
#include "tests/libs/rpc/backend.h"
#include "tests/support/certificates.h"
#include "tests/support/database.h"
#include "tests/support/keys/keys.h"

namespace countersign::auth {

inline constexpr std::chrono::seconds kPatience{20};

inline bool Eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// The whole answer; empty if there is none.
inline std::string Get(const std::string& address, const std::string& path) {
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  peer.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n";
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&peer), sizeof(peer)) == 0 &&
      send(fd, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size())) {
    std::array<char, 4096> part{};
    for (ssize_t got = 0; (got = recv(fd, part.data(), part.size(), 0)) > 0;)
      answer.append(part.data(), static_cast<std::size_t>(got));
  }
  close(fd);
  return answer;
}

class AppTest : public support::PgTest {
 protected:
  static void SetUpTestSuite() {
    certificates_ = new tests::Certificates;
    certificates_->MakeAuthority("ca", "/CN=test authority");
    certificates_->MakeCertificate("ca", "otp", "/CN=otp", "DNS:otp");
    certificates_->MakeCertificate("ca", "auth", "/CN=auth", "DNS:auth");
  }
  static void TearDownTestSuite() { delete certificates_; }

  void SetUp() override {
    PgTest::SetUp();
    if (IsSkipped()) return;
    const SystemClock clock;
    keys_ = std::make_unique<test::KeyFolder>(clock);
    config_.process.log_level = log::Level::kError;
    config_.process.metrics_listen = "127.0.0.1:0";
    config_.grpc.listen = "127.0.0.1:0";
    config_.grpc.reflection = false;
    config_.database.url = Settings("countersign_auth").conninfo;
    config_.keys_directory = keys_->path();
    config_.issuer = "https://auth.example.com";
    config_.audiences = {"fleet"};
    config_.otp.target = "127.0.0.1:1";
    config_.otp.tls_ca = certificates_->File("ca.pem");
    config_.otp.tls_certificate = certificates_->File("auth.pem");
    config_.otp.tls_key = certificates_->File("auth.key");
    config_.otp.tls_server_name = "otp";
  }

  // An otp service that admits `auth` only.
  std::unique_ptr<rpc::Backend> PlayOtp(rpc::Handler<rpc::Request, rpc::Response> handler,
                                        const std::string& listen = "127.0.0.1:0") {
    rpc::ServerSettings settings{.listen = listen};
    settings.tls_certificate = certificates_->File("otp.pem");
    settings.tls_key = certificates_->File("otp.key");
    settings.tls_client_ca = certificates_->File("ca.pem");
    settings.tls_client_certificate = "required";
    auto otp =
        std::make_unique<rpc::Backend>(std::move(handler), settings, rpc::Access::Identity("auth"));
    config_.otp.target = otp->server().address();
    return otp;
  }

  // The process and its App, until the end of the test.
  App& Start() {
    process_ = std::make_unique<process::Process>("auth", config_.process);
    app_ = std::make_unique<App>(config_, *process_);
    stub_ = v1::AuthService::NewStub(
        grpc::CreateChannel(app_->address(), grpc::InsecureChannelCredentials()));
    return *app_;
  }
  void TearDown() override {
    app_.reset();
    process_.reset();
  }
  // Why the start is refused; empty if it is not, or not as a fault of the configuration.
  std::string Fault() {
    try {
      Start();
    } catch (const config::Fault& fault) {
      return fault.what();
    }
    return {};
  }

  // One call: the answer, or the reason's word.
  template <typename Response, typename Request>
  std::pair<Response, std::string> Call(grpc::Status (v1::AuthService::Stub::*method)(
                                            grpc::ClientContext*, const Request&, Response*),
                                        const Request& request, const std::string& bearer = {}) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    if (!bearer.empty()) context.AddMetadata("authorization", "Bearer " + bearer);
    Response response;
    const grpc::Status status = (stub_.get()->*method)(&context, request, &response);
    if (status.ok()) return {response, ""};
    return {response, std::string(rpc::FromStatus(status).reason->word)};
  }
  std::string Signup(const std::string& phone, v1::Verification* started = nullptr) {
    v1::SignupWithPhoneNumberRequest request;
    request.set_phone_number(phone);
    request.set_first_name("Ada");
    auto [response, refusal] = Call(&v1::AuthService::Stub::SignupWithPhoneNumber, request);
    if (started != nullptr) *started = response.verification();
    return refusal;
  }
  std::pair<v1::VerifyPhoneNumberResponse, std::string> Verify(const std::string& id) {
    v1::VerifyPhoneNumberRequest request;
    request.set_verification_id(id);
    request.set_code("123456");
    return Call(&v1::AuthService::Stub::VerifyPhoneNumber, request);
  }
  bool IsActive(const std::string& token) {
    v1::IntrospectTokenRequest request;
    request.set_token(token);
    auto [response, refusal] = Call(&v1::AuthService::Stub::IntrospectToken, request);
    EXPECT_EQ(refusal, "");
    return response.active();
  }
  static std::string NewPhone() {
    static std::atomic<int> next = 0;
    return "+49151" + std::to_string(10'000'000 + getpid() % 10'000 * 1000 + next++);
  }
  [[nodiscard]] std::string Metrics() const { return process_->metrics().Text(); }

  Config config_;
  std::unique_ptr<test::KeyFolder> keys_;
  std::unique_ptr<process::Process> process_;
  std::unique_ptr<App> app_;
  std::unique_ptr<v1::AuthService::Stub> stub_;

  static inline tests::Certificates* certificates_ = nullptr;
};

}  // namespace countersign::auth
