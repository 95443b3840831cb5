#pragma once
// What a refusal by Twilio means for a send. One table for all operations.
#include "services/otp/providers/provider.h"

namespace countersign::otp::providers {

inline constexpr int kCodeNotFound = 20404;
inline constexpr int kCodeInvalidParameter = 60200;
// Another request for the same number is under way. Never processed, and worth one more try soon.
inline constexpr int kCodeCollision = 60212;

struct ErrorClass {
  SendStatus status;
  Refusal refusal;
  bool operator==(const ErrorClass&) const = default;
};

// For an answer outside of 2xx; `code` is 0 if its body has none. The code decides where it is
// known, else the HTTP status does; the message text never does, since it is for people. Anything
// that does not prove the request was refused (5xx, redirects, a proxy's 408) is kUnknown.
[[nodiscard]] ErrorClass Classify(int http_status, int code);

}  // namespace countersign::otp::providers
