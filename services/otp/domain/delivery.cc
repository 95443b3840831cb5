#include "services/otp/domain/delivery.h"

#include <algorithm>
#include <array>

#include "libs/core/invariant.h"

namespace countersign::otp {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{500};
constexpr milliseconds kLongestPause{15'000};
constexpr std::array kAllStates = {
    DeliveryState::kReceived, DeliveryState::kSending,    DeliveryState::kSent,
    DeliveryState::kFailed,   DeliveryState::kUnknown,    DeliveryState::kExpired,
    DeliveryState::kDecoy,    DeliveryState::kSuperseded,
};

}  // namespace

std::string_view ToString(DeliveryState state) {
  switch (state) {
    case DeliveryState::kReceived:
      return "received";
    case DeliveryState::kSending:
      return "sending";
    case DeliveryState::kSent:
      return "sent";
    case DeliveryState::kFailed:
      return "failed";
    case DeliveryState::kUnknown:
      return "unknown";
    case DeliveryState::kExpired:
      return "expired";
    case DeliveryState::kSuperseded:
      return "superseded";
    case DeliveryState::kDecoy:
      return "decoy";
  }
  Invariant(false, "a state outside its enumeration");
  return {};
}

std::optional<DeliveryState> ParseDeliveryState(std::string_view word) {
  for (const DeliveryState state : kAllStates)
    if (ToString(state) == word) return state;
  return std::nullopt;
}

bool IsOver(DeliveryState state) {
  return state != DeliveryState::kReceived && state != DeliveryState::kSending;
}

AfterCall Decide(CallResult result) {
  switch (result) {
    case CallResult::kSent:
      return {.state = DeliveryState::kSent};
    case CallResult::kRejected:
      return {.state = DeliveryState::kFailed};
    case CallResult::kNotSent:
      return {.state = DeliveryState::kReceived, .tell = false};
    case CallResult::kMisconfigured:
      return {.state = DeliveryState::kReceived, .tell = false, .halts = true};
    case CallResult::kUnknown:
      break;
  }
  return {.state = DeliveryState::kUnknown};
}

milliseconds RetryPause(int attempts, milliseconds asked_for) {
  if (asked_for.count() > 0) return asked_for;
  milliseconds pause = kFirstPause;
  for (int i = 1; i < attempts && pause < kLongestPause; ++i) pause *= 2;
  return std::min(pause, kLongestPause);
}

}  // namespace countersign::otp
