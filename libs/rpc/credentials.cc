#include "libs/rpc/credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <fstream>
#include <iterator>
#include <string>

#include "libs/config/load.h"
#include "libs/config/secret_file.h"

namespace countersign::rpc {
namespace {

using grpc::experimental::FileWatcherCertificateProvider;

constexpr unsigned kReloadSeconds = 60;

void RequirePem(const std::string& path, const std::string& what) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.find("-----BEGIN ") == std::string::npos) {
    throw config::Fault(what + " " + path + " cannot be read or holds no PEM");
  }
}

void RequirePair(const std::string& certificate, const std::string& key) {
  RequirePem(certificate, "certificate");
  RequirePem(key, "key");
  if (const auto fault = config::SecretFileFault(key)) {
    throw config::Fault("key " + key + " " + *fault);
  }
}

grpc_ssl_client_certificate_request_type RequestType(const std::string& word) {
  if (word == "required") return GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
  if (word == "optional") return GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
  return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
}

}  // namespace

std::shared_ptr<grpc::ServerCredentials> ServerCredentialsFor(const ServerSettings& settings) {
  const bool wants_clients = settings.tls_client_certificate != "none";
  if (settings.tls_certificate.empty()) {
    if (wants_clients) {
      throw config::Fault("client certificates need a server certificate on " + settings.listen);
    }
    if (!IsLoopback(settings.listen)) {
      throw config::Fault("plaintext is served on loopback only, not on " + settings.listen +
                          ": give a certificate and key");
    }
    return grpc::InsecureServerCredentials();
  }
  RequirePair(settings.tls_certificate, settings.tls_key);
  if (wants_clients) RequirePem(settings.tls_client_ca, "client CA");

  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<FileWatcherCertificateProvider>(
          settings.tls_key, settings.tls_certificate,
          wants_clients ? settings.tls_client_ca : std::string(), kReloadSeconds));
  options.watch_identity_key_cert_pairs();
  if (wants_clients) options.watch_root_certs();
  options.set_cert_request_type(RequestType(settings.tls_client_certificate));
  return grpc::experimental::TlsServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> ChannelCredentialsFor(const ChannelSettings& settings) {
  if (settings.tls_ca.empty()) {
    if (!settings.tls_certificate.empty()) {
      throw config::Fault("a client certificate needs the CA of " + settings.target);
    }
    if (!IsLoopback(settings.target)) {
      throw config::Fault("plaintext is spoken on loopback only, not to " + settings.target +
                          ": give the CA of its certificate");
    }
    return grpc::InsecureChannelCredentials();
  }
  RequirePem(settings.tls_ca, "CA");
  const bool ours = !settings.tls_certificate.empty();
  if (ours) RequirePair(settings.tls_certificate, settings.tls_key);

  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<FileWatcherCertificateProvider>(
      ours ? settings.tls_key : std::string(), settings.tls_certificate, settings.tls_ca,
      kReloadSeconds));
  options.watch_root_certs();
  if (ours) options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace countersign::rpc
