#pragma once
// The client side, for services/*/clients, tools and tests.
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>
#include <string>

#include "libs/config/keys.h"
#include "libs/core/result.h"
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
// the call we serve to one we make.
void Continue(const CallContext& call, std::chrono::milliseconds cap, grpc::ClientContext& out);

// What a failed call to a service of ours means to our own caller: its reason if the service gave
// one we know and it is no credential matter between the two services, else
// DEPENDENCY_UNAVAILABLE, DEADLINE_EXCEEDED or INTERNAL.
[[nodiscard]] Error FromStatus(const grpc::Status& status);

}  // namespace countersign::rpc
