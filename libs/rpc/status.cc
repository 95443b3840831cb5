#include "libs/rpc/status.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include <algorithm>
#include <string>
#include <utility>

namespace countersign::rpc {
namespace {

constexpr std::string_view kDomain = "countersign";

google::rpc::Status Details(const Error& error, grpc::StatusCode code,
                            std::string_view request_id) {
  google::rpc::Status details;
  details.set_code(static_cast<int>(code));
  details.set_message(std::string(error.reason->meaning));

  google::rpc::ErrorInfo info;
  info.set_reason(std::string(error.reason->word));
  info.set_domain(std::string(kDomain));
  if (!request_id.empty()) (*info.mutable_metadata())["request_id"] = std::string(request_id);
  details.add_details()->PackFrom(info);

  if (error.retry_after.count() > 0) {
    google::rpc::RetryInfo retry;
    const auto seconds = std::chrono::floor<std::chrono::seconds>(error.retry_after);
    retry.mutable_retry_delay()->set_seconds(seconds.count());
    retry.mutable_retry_delay()->set_nanos(
        static_cast<int>(std::chrono::nanoseconds(error.retry_after - seconds).count()));
    details.add_details()->PackFrom(retry);
  }
  if (!error.field.empty()) {
    google::rpc::BadRequest bad;
    auto* violation = bad.add_field_violations();
    violation->set_field(error.field);
    violation->set_description(std::string(error.reason->meaning));
    details.add_details()->PackFrom(bad);
  }
  return details;
}

const Reason* ByWord(std::string_view word) {
  const auto* const found =
      std::ranges::find(reasons::kAll, word, [](const Reason* one) { return one->word; });
  return found == reasons::kAll.end() ? nullptr : *found;
}

const Reason& Translated(const Reason& told) {
  if (told.kind == ErrorKind::kInvalid) return reasons::kInternal;
  if (&told == &reasons::kCredentialsMissing || &told == &reasons::kCallerNotAllowed) {
    return reasons::kDependencyUnavailable;
  }
  return told;
}

const Reason& ByCode(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::UNAVAILABLE:
      return reasons::kDependencyUnavailable;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return reasons::kDeadlineExceeded;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return reasons::kOverloaded;
    default:
      return reasons::kInternal;
  }
}

}  // namespace

grpc::StatusCode ToCode(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case ErrorKind::kUnauthenticated:
      return grpc::StatusCode::UNAUTHENTICATED;
    case ErrorKind::kDenied:
      return grpc::StatusCode::PERMISSION_DENIED;
    case ErrorKind::kNotFound:
      return grpc::StatusCode::NOT_FOUND;
    case ErrorKind::kConflict:
      return grpc::StatusCode::ALREADY_EXISTS;
    case ErrorKind::kPrecondition:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case ErrorKind::kExhausted:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case ErrorKind::kUnavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case ErrorKind::kDeadline:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case ErrorKind::kInternal:
      return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::INTERNAL;
}

grpc::Status ToStatus(const Error& error, std::string_view request_id) {
  const grpc::StatusCode code = ToCode(error.kind());
  return grpc::Status(code, std::string(error.reason->meaning),
                      Details(error, code, request_id).SerializeAsString());
}

Error FromStatus(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) details.Clear();
  const Reason* told = nullptr;
  std::chrono::milliseconds retry_after{0};
  for (const auto& any : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    if (any.UnpackTo(&info) && info.domain() == kDomain) {
      told = ByWord(info.reason());
    } else if (any.UnpackTo(&retry)) {
      retry_after = std::chrono::milliseconds(retry.retry_delay().seconds() * 1000 +
                                              retry.retry_delay().nanos() / 1'000'000);
    }
  }
  std::string detail = "peer answered code " + std::to_string(status.error_code());
  if (told != nullptr) detail.append(", ").append(told->word);
  const Reason& ours = told != nullptr ? Translated(*told) : ByCode(status.error_code());
  return Error{&ours, {}, std::move(detail), retry_after};
}

}  // namespace countersign::rpc
