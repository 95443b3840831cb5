#pragma once
// What a handler knows about the call it serves. Free of grpc, so that flows may take it.
#include <atomic>
#include <string>
#include <string_view>

#include "libs/core/deadline.h"
#include "libs/core/result.h"
#include "libs/core/secret.h"
#include "libs/core/traceparent.h"

namespace countersign::rpc {

// Not copyable: take what you keep. A handler's reference is good until its Done was called or
// dropped.
struct CallContext {
  Deadline deadline;  // the client's, or the server's own if the client set none or a later one
  std::string request_id{};            // the caller's x-request-id if well formed, else new
  Traceparent trace{};                 // a child span of the caller's trace, or a new trace
  std::string peer_ip{};               // of the connection; no header is believed
  std::string user_agent{};            // at most 256 bytes, valid UTF-8
  Secret<std::string> bearer{};        // of metadata `authorization: Bearer …`; empty if none
  std::string identity{};              // of the client certificate: first DNS name, else CN
  std::atomic<bool> cancelled{false};  // the caller has gone; an answer reaches nobody

  // The value for the event row's `traceparent` header.
  [[nodiscard]] std::string traceparent() const { return ToString(trace); }
  // Cancelled or past its deadline: begin nothing that cannot be undone.
  [[nodiscard]] bool Over() const {
    return cancelled.load(std::memory_order_relaxed) || TimeLeft(deadline).count() <= 0;
  }
};

// CREDENTIALS_MISSING without a client certificate, CALLER_NOT_ALLOWED with another's.
[[nodiscard]] Result<void> RequireIdentity(const CallContext& call, std::string_view name);
// CREDENTIALS_MISSING without a bearer token.
[[nodiscard]] Result<void> RequireBearer(const CallContext& call);

}  // namespace countersign::rpc
