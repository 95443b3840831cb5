#pragma once
#include <grpcpp/server_context.h>

#include "libs/rpc/call_context.h"
#include "libs/rpc/guard.h"

namespace countersign::rpc {

// Fills `call` from what the transport knows. `identities`: look at the client's certificate.
void ReadMetadata(const grpc::CallbackServerContext& context, Guard& guard, bool identities,
                  CallContext& call);

}  // namespace countersign::rpc
