#pragma once
// The client side, for services/*/clients, tools and tests.
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>

#include "libs/core/random.h"
#include "libs/rpc/call_context.h"
#include "libs/rpc/channel_settings.h"

namespace countersign::rpc {

// Throws config::Fault for plaintext off loopback or unreadable PEM files. Connects lazily.
[[nodiscard]] std::shared_ptr<grpc::Channel> MakeChannel(const ChannelSettings& settings);

// Hands the deadline (at most `cap` from now), request id and trace (as a child span of ours) of
// the call we serve to one we make. What its failure means: FromStatus in libs/rpc/status.h.
void Continue(const CallContext& call, std::chrono::milliseconds cap, Random& random,
              grpc::ClientContext& out);

}  // namespace countersign::rpc
