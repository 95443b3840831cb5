#include "libs/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <mutex>
#include <stdexcept>

#include "libs/config/load.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/grpc_library.h"
#include "libs/rpc/service_methods.h"

namespace countersign::rpc {
namespace {

constexpr int kStreamsOnLoopback = 1024;
constexpr int kStreamsElsewhere = 100;          // NET-2
constexpr int kLeastPingInterval = 5 * 60'000;  // ms, gRFC A8
constexpr int kPingStrikes = 2;

// Linking grpc's reflection library switches it on in every server of the process; this takes it
// out again unless it is wanted.
class ReflectionOption final : public grpc::ServerBuilderOption {
 public:
  explicit ReflectionOption(bool wanted) : wanted_(wanted) {}
  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    auto ours = std::make_unique<grpc::reflection::ProtoServerReflectionPlugin>();
    std::erase_if(*plugins, [&](const auto& plugin) { return plugin->name() == ours->name(); });
    if (wanted_) plugins->push_back(std::move(ours));
  }

 private:
  bool wanted_;
};

int Milliseconds(std::chrono::milliseconds duration) {
  return static_cast<int>(std::clamp<std::int64_t>(duration.count(), 1, INT32_MAX));
}

void SetLimits(const ServerSettings& settings, grpc::ServerBuilder& builder) {
  const int streams = settings.max_streams > 0      ? settings.max_streams
                      : IsLoopback(settings.listen) ? kStreamsOnLoopback
                                                    : kStreamsElsewhere;
  builder.SetMaxReceiveMessageSize(static_cast<int>(settings.max_request.bytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE,
                             static_cast<int>(settings.max_metadata.bytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, streams);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             Milliseconds(settings.max_connection_idle));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                             Milliseconds(settings.max_connection_age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                             Milliseconds(settings.max_connection_age_grace));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kLeastPingInterval);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, kPingStrikes);
  // A second process on the same port must fail, not take half of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

}  // namespace

struct Server::Parts {
  std::unique_ptr<grpc::Server> server;
  std::string address;
  int port = 0;
  std::once_flag stopped;
};

Server::Server(const ServerSettings& settings, const std::vector<Service*>& services)
    : parts_(std::make_unique<Parts>()) {
  PrepareGrpc();
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  SetLimits(settings, builder);
  builder.SetOption(std::make_unique<ReflectionOption>(settings.reflection));
  builder.AddListeningPort(settings.listen, ServerCredentialsFor(settings), &parts_->port);
  for (Service* service : services) {
    Service::Methods& methods = *service->methods_;
    if (methods.methods.size() != static_cast<std::size_t>(methods.descriptor.method_count())) {
      throw std::logic_error(methods.descriptor.full_name() + " has a method without a handler");
    }
    for (Method& method : methods.methods) {
      method.identities = settings.tls_client_certificate != "none";
    }
    builder.RegisterService(&methods);
  }
  parts_->server = builder.BuildAndStart();
  if (!parts_->server || parts_->port == 0) {
    throw config::Fault("cannot listen on " + settings.listen);
  }
  for (const Service* service : services) {
    parts_->server->GetHealthCheckService()->SetServingStatus(
        service->methods_->descriptor.full_name(), true);
  }
  parts_->address =
      settings.listen.substr(0, settings.listen.rfind(':') + 1) + std::to_string(parts_->port);
}

Server::~Server() { Stop(std::chrono::steady_clock::now()); }

const std::string& Server::address() const { return parts_->address; }
int Server::port() const { return parts_->port; }

void Server::Stop(Deadline deadline) {
  if (!parts_->server) return;
  std::call_once(parts_->stopped, [&] {
    parts_->server->GetHealthCheckService()->SetServingStatus(false);
    parts_->server->Shutdown(std::chrono::system_clock::now() +
                             (deadline - std::chrono::steady_clock::now()));
  });
}

}  // namespace countersign::rpc
