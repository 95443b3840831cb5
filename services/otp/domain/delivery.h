#pragma once
// The delivery of one code that an event asked for.
//
//   received -> sending -> sent | failed | unknown;  received -> expired | superseded | decoy
//   sending -> received, if the call provably never happened
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace countersign::otp {

enum class DeliveryState {
  kReceived,    // the intent is written; nothing has left
  kSending,     // a call may be under way, until its lease ends
  kSent,        // the provider took it
  kFailed,      // the provider refused it for good
  kUnknown,     // it may or may not have been sent; it is not sent again
  kExpired,     // it was too late to send
  kSuperseded,  // a newer code of its challenge was asked for
  kDecoy,       // the number has no account: kept and counted, never sent
};
// The word in rows.
[[nodiscard]] std::string_view ToString(DeliveryState state);
[[nodiscard]] std::optional<DeliveryState> ParseDeliveryState(std::string_view word);
// Whether nothing more will happen to it.
[[nodiscard]] bool IsOver(DeliveryState state);

// What a provider call came to.
enum class CallResult {
  kSent,
  kRejected,
  kUnknown,
  kNotSent,        // provably not processed
  kMisconfigured,  // refused for a reason that every other send would meet as well
};

struct AfterCall {
  DeliveryState state;
  bool tell = true;    // an event says so
  bool halts = false;  // no further call before an operator acted
  bool operator==(const AfterCall&) const = default;
};
// Nobody's code is given up for a fault of the configuration: it waits as long as it lives.
[[nodiscard]] AfterCall Decide(CallResult result);

// How long to wait before another attempt: what the provider asked for, else 0.5 s, doubled with
// every attempt, to 15 s. `attempts` have been made.
[[nodiscard]] std::chrono::milliseconds RetryPause(int attempts,
                                                   std::chrono::milliseconds asked_for);

}  // namespace countersign::otp
