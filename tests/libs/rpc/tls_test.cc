// TLS and the identity of callers, with an authority and certificates made for the run.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <string>

#include "libs/config/load.h"
#include "tests/libs/rpc/backend.h"
#include "tests/support/certificates.h"

namespace countersign::rpc {
namespace {

namespace fs = std::filesystem;

class Tls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    certificates_ = new tests::Certificates;
    certificates_->MakeAuthority("ca", "/CN=test authority");
    certificates_->MakeAuthority("stranger_ca", "/CN=other authority");
    certificates_->MakeCertificate("ca", "server", "/CN=otp", "DNS:otp,DNS:localhost,IP:127.0.0.1");
    certificates_->MakeCertificate("ca", "auth", "/CN=ignored", "DNS:auth,DNS:second");
    certificates_->MakeCertificate("ca", "by_cn", "/CN=gateway", "URI:spiffe://fleet/gateway");
    certificates_->MakeCertificate("stranger_ca", "stranger", "/CN=auth", "DNS:auth");
  }
  static void TearDownTestSuite() { delete certificates_; }

  static std::string File(const std::string& name) { return certificates_->File(name); }

  static ServerSettings Server(const std::string& clients) {
    ServerSettings settings;
    settings.tls_certificate = File("server.pem");
    settings.tls_key = File("server.key");
    settings.tls_client_ca = clients == "none" ? "" : File("ca.pem");
    settings.tls_client_certificate = clients;
    return settings;
  }
  static ChannelSettings Client(const std::string& name = {}) {
    ChannelSettings settings;
    settings.tls_ca = File("ca.pem");
    settings.tls_server_name = "otp";
    if (!name.empty()) {
      settings.tls_certificate = File(name + ".pem");
      settings.tls_key = File(name + ".key");
    }
    return settings;
  }
  static grpc::StatusCode Ask(const Backend& backend, const ChannelSettings& client) {
    return Backend::VerifyOn(backend.Channel(client)).status.error_code();
  }

 private:
  static inline tests::Certificates* certificates_ = nullptr;
};

TEST_F(Tls, ServesTlsWithoutClientCertificates) {
  const Backend backend(Approve, Server("none"));
  EXPECT_EQ(Ask(backend, Client()), grpc::StatusCode::OK);
}

TEST_F(Tls, NET1_APlaintextClientIsNotServed) {
  const Backend backend(Approve, Server("none"));
  EXPECT_EQ(backend.Verify().status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(Tls, NET1_AServerOfAnotherNameOrAuthorityIsNotBelieved) {
  const Backend backend(Approve, Server("none"));
  ChannelSettings other_name = Client();
  other_name.tls_server_name = "auth";
  EXPECT_EQ(Ask(backend, other_name), grpc::StatusCode::UNAVAILABLE);
  ChannelSettings other_authority = Client();
  other_authority.tls_ca = File("stranger_ca.pem");
  EXPECT_EQ(Ask(backend, other_authority), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(Tls, NET1_OnlyTheNamedIdentityMayCall) {
  const Backend backend(Approve, Server("optional"), Access::Identity("auth"));
  EXPECT_EQ(Ask(backend, Client("auth")), grpc::StatusCode::OK);
  EXPECT_EQ(Ask(backend, Client("by_cn")), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Ask(backend, Client()), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Ask(backend, Client("stranger")), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(Tls, ARequiredCertificateIsDemandedByTheHandshake) {
  const Backend backend(Approve, Server("required"));
  EXPECT_EQ(Ask(backend, Client("auth")), grpc::StatusCode::OK);
  EXPECT_EQ(Ask(backend, Client()), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(Tls, TheIdentityIsTheFirstDnsNameElseTheCommonName) {
  std::string seen;
  const Backend backend(
      [&](const CallContext& call, const Request& request, const OtpDone& done) {
        seen = call.identity;
        Approve(call, request, done);
      },
      Server("optional"));
  ASSERT_EQ(Ask(backend, Client("auth")), grpc::StatusCode::OK);
  EXPECT_EQ(seen, "auth");
  ASSERT_EQ(Ask(backend, Client("by_cn")), grpc::StatusCode::OK);
  EXPECT_EQ(seen, "gateway");
  ASSERT_EQ(Ask(backend, Client()), grpc::StatusCode::OK);
  EXPECT_EQ(seen, "");
}

TEST_F(Tls, SEC1_AKeyThatOthersMayReadIsRefused) {
  fs::copy_file(File("server.key"), File("open.key"), fs::copy_options::overwrite_existing);
  fs::permissions(File("open.key"), fs::perms(0644));
  ServerSettings settings = Server("none");
  settings.tls_key = File("open.key");
  EXPECT_THROW(Backend(Approve, settings), config::Fault);
}

TEST_F(Tls, MissingFilesAreAFaultAtTheStart) {
  ServerSettings settings = Server("none");
  settings.tls_certificate = File("none.pem");
  EXPECT_THROW(Backend(Approve, settings), config::Fault);
  ChannelSettings client = Client();
  client.target = "127.0.0.1:1";
  client.tls_ca = File("none.pem");
  EXPECT_THROW((void)MakeChannel(client), config::Fault);
}

}  // namespace
}  // namespace countersign::rpc
