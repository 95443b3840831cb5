#pragma once
#include <string_view>

#include "libs/core/reasons.h"

namespace countersign::rpc {

// "INVALID_ARGUMENT": the name of the gRPC code a kind becomes, for logs, metrics and
// docs/errors.md. Free of grpc headers.
[[nodiscard]] std::string_view CodeName(ErrorKind kind);

}  // namespace countersign::rpc
