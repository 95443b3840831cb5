#pragma once
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "libs/rpc/client.h"
#include "libs/rpc/server.h"

namespace countersign::rpc {

// Both throw config::Fault for plaintext off loopback, files that cannot be read or hold no PEM,
// and a key that others may read. Files are looked at again every minute.
[[nodiscard]] std::shared_ptr<grpc::ServerCredentials> ServerCredentialsFor(
    const ServerSettings& settings);
[[nodiscard]] std::shared_ptr<grpc::ChannelCredentials> ChannelCredentialsFor(
    const ChannelSettings& settings);

}  // namespace countersign::rpc
