#pragma once
// The only place where reasons become gRPC codes.
#include <grpcpp/support/status.h>

#include <string_view>

#include "libs/core/result.h"

namespace countersign::rpc {

// With google.rpc.ErrorInfo (domain `countersign`), RetryInfo if there is a wait and BadRequest if
// a field is at fault, in grpc-status-details-bin. The text is the reason's published meaning;
// Error::detail stays here.
[[nodiscard]] grpc::Status ToStatus(const Error& error);
[[nodiscard]] grpc::StatusCode ToCode(ErrorKind kind);
// "INVALID_ARGUMENT".
[[nodiscard]] std::string_view CodeName(grpc::StatusCode code);

}  // namespace countersign::rpc
