// countersign-otp-stub: an OtpService that approves every code at once, for benchmarks of what lies
// before it. Mutual TLS like the real one.
#include <grpcpp/grpcpp.h>

#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "countersign/otp/v1/otp.grpc.pb.h"

namespace countersign::bench {
namespace {

class Approver final : public otp::v1::OtpService::CallbackService {
 public:
  grpc::ServerUnaryReactor* VerifyOtp(grpc::CallbackServerContext* context,
                                      const otp::v1::VerifyOtpRequest* /*request*/,
                                      otp::v1::VerifyOtpResponse* response) override {
    response->set_verdict(otp::v1::VERDICT_APPROVED);
    response->set_attempts_left(4);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

int Run(const std::string& address, const std::string& tls) {
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = ReadFile(tls + "/ca.pem");
  options.pem_key_cert_pairs.push_back({ReadFile(tls + "/otp.key"), ReadFile(tls + "/otp.pem")});
  Approver approver;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, grpc::SslServerCredentials(options), &port);
  builder.RegisterService(&approver);
  const auto server = builder.BuildAndStart();
  if (!server || port == 0) {
    std::cerr << "countersign-otp-stub: cannot listen on " << address << '\n';
    return 1;
  }
  std::cout << port << std::endl;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  int caught = 0;
  sigwait(&signals, &caught);
  server->Shutdown();
  return 0;
}

}  // namespace
}  // namespace countersign::bench

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: countersign-otp-stub ADDRESS TLS_FOLDER   prints its port\n";
    return 2;
  }
  // Blocked in every thread, so that only sigwait sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return countersign::bench::Run(argv[1], argv[2]);
}
