#pragma once
// Reads the JSON of Twilio's answers. Unknown fields and unknown words are accepted; a missing or
// mistyped field that we rely on makes the whole answer unreadable, never a default value.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace countersign::otp::providers {

// The integer code of an error body {code, message, …}; 0 if it has none.
[[nodiscard]] int DecodeErrorCode(std::string_view body);

struct VerificationAnswer {
  std::string sid;        // VE…
  std::string status;     // pending approved canceled max_attempts_reached deleted failed expired
  std::size_t sends = 0;  // more than one: the provider repeated a code that was already out
};
[[nodiscard]] std::optional<VerificationAnswer> DecodeVerification(std::string_view body);

struct CheckAnswer {
  std::string sid;  // VE…
  std::string status;
};
[[nodiscard]] std::optional<CheckAnswer> DecodeCheck(std::string_view body);

struct ServiceAnswer {
  std::string sid;          // VA…
  std::string account_sid;  // AC…
  int code_length = 0;
};
[[nodiscard]] std::optional<ServiceAnswer> DecodeService(std::string_view body);

struct AttemptAnswer {
  std::string verification_sid;
  std::string conversion_status;  // converted unconverted
};
[[nodiscard]] std::optional<std::vector<AttemptAnswer>> DecodeAttempts(std::string_view body);

struct MessageAnswer {
  std::string sid;     // SM… or MM…
  std::string status;  // queued accepted scheduled sending sent failed undelivered canceled …
  int error_code = 0;  // 0 for none
};
[[nodiscard]] std::optional<MessageAnswer> DecodeMessage(std::string_view body);

// The number of messages of a page.
[[nodiscard]] std::optional<std::size_t> DecodeMessageCount(std::string_view body);

}  // namespace countersign::otp::providers
