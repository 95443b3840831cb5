#pragma once
// The only place where reasons become gRPC codes, and back.
#include <grpcpp/support/status.h>

#include <string_view>

#include "libs/core/result.h"

namespace countersign::rpc {

// With google.rpc.ErrorInfo (domain `countersign`, metadata request_id), RetryInfo if there is a
// wait and BadRequest if a field is at fault, in grpc-status-details-bin. The text is the reason's
// published meaning; Error::detail stays here.
[[nodiscard]] grpc::Status ToStatus(const Error& error, std::string_view request_id = {});
[[nodiscard]] grpc::StatusCode ToCode(ErrorKind kind);

// What a failed call to a service of ours means to our own caller. The service's reason is passed
// on, except that what only we can have done wrong (a request it finds invalid) is INTERNAL and
// what is wrong between the two services (its certificate check) is DEPENDENCY_UNAVAILABLE. Without
// a reason: DEPENDENCY_UNAVAILABLE, DEADLINE_EXCEEDED, OVERLOADED or INTERNAL by the code.
[[nodiscard]] Error FromStatus(const grpc::Status& status);

}  // namespace countersign::rpc
