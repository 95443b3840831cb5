#include "libs/rpc/code_name.h"

namespace countersign::rpc {

std::string_view CodeName(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return "INVALID_ARGUMENT";
    case ErrorKind::kUnauthenticated:
      return "UNAUTHENTICATED";
    case ErrorKind::kDenied:
      return "PERMISSION_DENIED";
    case ErrorKind::kNotFound:
      return "NOT_FOUND";
    case ErrorKind::kConflict:
      return "ALREADY_EXISTS";
    case ErrorKind::kPrecondition:
      return "FAILED_PRECONDITION";
    case ErrorKind::kExhausted:
      return "RESOURCE_EXHAUSTED";
    case ErrorKind::kUnavailable:
      return "UNAVAILABLE";
    case ErrorKind::kDeadline:
      return "DEADLINE_EXCEEDED";
    case ErrorKind::kInternal:
      return "INTERNAL";
  }
  return "INTERNAL";
}

}  // namespace countersign::rpc
