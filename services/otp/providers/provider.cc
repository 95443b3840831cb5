#include "services/otp/providers/provider.h"

namespace countersign::otp::providers {

std::string_view Word(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNone:
      return "";
    case Refusal::kTooManyAttempts:
      return "TOO_MANY_ATTEMPTS";
    case Refusal::kInvalidRecipient:
      return "INVALID_RECIPIENT";
    case Refusal::kOptedOut:
      return "OPTED_OUT";
    case Refusal::kDestinationBlocked:
      return "DESTINATION_BLOCKED";
    case Refusal::kFraudBlocked:
      return "FRAUD_BLOCKED";
    case Refusal::kChannelUnavailable:
      return "CHANNEL_UNAVAILABLE";
    case Refusal::kProviderMisconfigured:
      return "PROVIDER_MISCONFIGURED";
    case Refusal::kRejectedContent:
      return "REJECTED_CONTENT";
    case Refusal::kDeliveryFailed:
      return "DELIVERY_FAILED";
    case Refusal::kGone:
      return "GONE";
    case Refusal::kRejected:
      break;
  }
  return "REJECTED";
}

}  // namespace countersign::otp::providers
