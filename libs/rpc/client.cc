#include "libs/rpc/client.h"

#include <grpcpp/create_channel.h>

#include <algorithm>

#include "libs/core/random.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/grpc_library.h"

namespace countersign::rpc {

std::shared_ptr<grpc::Channel> MakeChannel(const ChannelSettings& settings) {
  PrepareGrpc();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(settings.keepalive.count()));
  // A server that restarts is tried again within a second, not after the default of up to 120 s.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  if (!settings.tls_server_name.empty()) {
    arguments.SetSslTargetNameOverride(settings.tls_server_name);
  }
  return grpc::CreateCustomChannel(settings.target, ChannelCredentialsFor(settings), arguments);
}

void Continue(const CallContext& call, std::chrono::milliseconds cap, Random& random,
              grpc::ClientContext& out) {
  const auto left = std::min(TimeLeft(call.deadline), cap);
  out.set_deadline(std::chrono::system_clock::now() + left);
  out.AddMetadata("traceparent", ToString(ChildOf(call.trace, random)));
  out.AddMetadata("x-request-id", call.request_id);
}

}  // namespace countersign::rpc
