#pragma once
// The client side, for services/*/clients, tools and tests.
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>
#include <string>

#include "libs/config/keys.h"
#include "libs/core/random.h"
#include "libs/rpc/call_context.h"

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

// Throws config::Fault for plaintext off loopback or unreadable PEM files. Connects lazily.
[[nodiscard]] std::shared_ptr<grpc::Channel> MakeChannel(const ChannelSettings& settings);

// Hands the deadline (at most `cap` from now), request id and trace (as a child span of ours) of
// the call we serve to one we make. What its failure means: FromStatus in libs/rpc/status.h.
void Continue(const CallContext& call, std::chrono::milliseconds cap, Random& random,
              grpc::ClientContext& out);

}  // namespace countersign::rpc
