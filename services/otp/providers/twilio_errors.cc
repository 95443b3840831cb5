#include "services/otp/providers/twilio_errors.h"

#include <algorithm>
#include <array>

namespace countersign::otp::providers {
namespace {

struct Row {
  int http_status;  // 0 for any 4xx
  int code;         // 0 for any other code, or none
  ErrorClass meaning;
};

constexpr ErrorClass kThrottled{SendStatus::kNotSent, Refusal::kNone};
constexpr ErrorClass kAmbiguous{SendStatus::kUnknown, Refusal::kNone};
constexpr ErrorClass For(Refusal refusal) { return {SendStatus::kRejected, refusal}; }
constexpr ErrorClass kLocked = For(Refusal::kTooManyAttempts);
constexpr ErrorClass kBadRecipient = For(Refusal::kInvalidRecipient);
constexpr ErrorClass kOptedOut = For(Refusal::kOptedOut);
constexpr ErrorClass kBlocked = For(Refusal::kDestinationBlocked);
constexpr ErrorClass kFraud = For(Refusal::kFraudBlocked);
constexpr ErrorClass kOtherChannel = For(Refusal::kChannelUnavailable);
constexpr ErrorClass kMisconfigured = For(Refusal::kProviderMisconfigured);
constexpr ErrorClass kBadContent = For(Refusal::kRejectedContent);
constexpr ErrorClass kLost = For(Refusal::kDeliveryFailed);
constexpr ErrorClass kGone = For(Refusal::kGone);

// The first row that fits decides: codes first, then what an HTTP status alone tells.
constexpr std::array kRows = {
    Row{0, 20429, kThrottled},           // too many requests, or a rate limit of the service
    Row{0, kCodeCollision, kThrottled},  // too many concurrent requests for the number
    Row{0, 21611, kThrottled},           // the sender's queue is full
    Row{0, 60202, kLocked},              // checks used up; backing off does not help
    Row{0, 60203, kLocked},              // sends used up
    Row{0, 21211, kBadRecipient},        // not a phone number
    Row{0, 21614, kBadRecipient},        // not a mobile number
    Row{0, 21635, kBadRecipient},        // landline
    Row{0, 30005, kBadRecipient},        // unknown handset
    Row{0, 30006, kBadRecipient},        // landline or unreachable carrier
    Row{0, kCodeInvalidParameter, kBadRecipient},  // of ours only the number varies
    Row{0, 60205, kBadRecipient},                  // landline
    Row{0, 60236, kBadRecipient},
    Row{0, 60237, kBadRecipient},
    Row{0, 21610, kOptedOut},  // answered STOP
    Row{0, 30004, kOptedOut},  // message blocked
    Row{0, 63014, kOptedOut},
    Row{0, 21408, kBlocked},  // Messaging geo permissions
    Row{0, 60220, kBlocked},
    Row{0, 60226, kBlocked},
    Row{0, 60238, kBlocked},  // account under review, or country under sanctions
    Row{0, 60250, kBlocked},
    Row{0, 60605, kBlocked},  // Verify geo permissions
    Row{0, 30450, kFraud},    // blocked by Fraud Guard
    Row{0, 30453, kFraud},
    Row{0, 60410, kFraud},  // prefix blocked for a while
    Row{0, 60412, kFraud},
    Row{0, 60413, kFraud},
    Row{0, 21612, kOtherChannel},  // no route from this sender
    Row{0, 60217, kOtherChannel},
    Row{0, 60223, kOtherChannel},  // channel disabled
    Row{0, 60227, kOtherChannel},
    Row{0, 60242, kOtherChannel},
    Row{0, 60245, kOtherChannel},
    Row{0, 63003, kOtherChannel},  // not on WhatsApp
    Row{0, 63016, kOtherChannel},
    Row{0, 63024, kOtherChannel},
    Row{0, 20003, kMisconfigured},  // credentials
    Row{0, 20005, kMisconfigured},  // account not active
    Row{0, 20403, kMisconfigured},
    Row{0, 21212, kMisconfigured},  // From is not a number
    Row{0, 21603, kMisconfigured},  // no From
    Row{0, 21606, kMisconfigured},  // From is not ours
    Row{0, 21703, kMisconfigured},  // messaging service without senders
    Row{0, 30002, kMisconfigured},  // account suspended
    Row{0, 30034, kMisconfigured},  // sender not registered
    Row{0, 60201, kMisconfigured},
    Row{0, 60204, kMisconfigured},  // feature of the service is off
    Row{0, 60218, kMisconfigured},
    Row{0, 60219, kMisconfigured},
    Row{0, 60222, kMisconfigured},
    Row{0, 60224, kMisconfigured},
    Row{0, 60228, kMisconfigured},
    Row{0, 60229, kMisconfigured},
    Row{0, 60243, kMisconfigured},
    Row{0, 70051, kMisconfigured},  // the key lacks the right
    Row{0, 21617, kBadContent},     // too long
    Row{0, 30007, kBadContent},     // filtered by a carrier
    Row{0, 30110, kBadContent},
    Row{0, 60247, kBadContent},
    Row{0, 60248, kBadContent},
    Row{0, 30001, kLost},  // queue overflow
    Row{0, 30003, kLost},  // handset unreachable
    Row{0, 30008, kLost},
    Row{0, 30036, kLost},  // validity period over
    Row{0, 30500, kLost},
    Row{0, kCodeNotFound, kGone},
    Row{429, 0, kThrottled},      // never processed, whoever says it
    Row{408, 0, kAmbiguous},      // a proxy that gave up waiting
    Row{401, 0, kMisconfigured},  // credentials
    Row{407, 0, kMisconfigured},  // the proxy's
    Row{404, 0, kMisconfigured},  // not the address of the API
};

}  // namespace

ErrorClass Classify(int http_status, int code) {
  if (http_status < 400 || http_status > 499) return kAmbiguous;
  const auto* const row = std::ranges::find_if(kRows, [&](const Row& candidate) {
    return (candidate.code == 0 || candidate.code == code) &&
           (candidate.http_status == 0 || candidate.http_status == http_status);
  });
  return row == kRows.end() ? For(Refusal::kRejected) : row->meaning;
}

}  // namespace countersign::otp::providers
