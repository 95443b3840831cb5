#pragma once
// How to reach a service. Free of grpc headers, for the configuration of its clients.
#include <chrono>
#include <string>

#include "libs/config/keys.h"

namespace countersign::rpc {

struct ChannelSettings {
  std::string target{};           // "host:port"
  std::string tls_ca{};           // PEM of who signs the server's certificate; empty: plaintext,
                                  // refused off loopback
  std::string tls_certificate{};  // PEM, ours, for mTLS
  std::string tls_key{};
  std::string tls_server_name{};  // the name the certificate must have, if not the target's host
  std::chrono::milliseconds keepalive{5 * 60'000};  // servers punish shorter ones
};
void Bind(ChannelSettings& settings, const std::string& section, config::Keys& keys);

}  // namespace countersign::rpc
