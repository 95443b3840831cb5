#pragma once
// One way to bring a code to a person, and, where the provider makes the code, to check it. No
// provider knows an idempotency key, so an outcome is exact about one thing: whether the request
// may have left this process. Only kNotSent may ever be tried again without further proof.
//
// All methods are thread safe. A completion is called exactly once, on the thread of the HTTP
// client or before the method returns; it must not block and must not throw. Deadlines bound a
// whole operation, a cancellation that precedes it included.
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/deadline.h"
#include "libs/core/secret.h"
#include "libs/core/uuid.h"

namespace countersign::otp::providers {

enum class Channel { kSms, kWhatsapp, kVoice };

// Why a provider refused for good. Word() is what events show.
enum class Refusal {
  kNone,
  kTooManyAttempts,        // this recipient is locked for a while; see retry_after
  kInvalidRecipient,       // no such number, or it cannot take this kind of message
  kOptedOut,               // the person told the provider to stop
  kDestinationBlocked,     // country or route not allowed until an operator acts
  kFraudBlocked,           // the provider suspects pumping; never retry or change the channel
  kChannelUnavailable,     // another channel may work
  kProviderMisconfigured,  // credentials, service or sender: every other send would fail as well
  kRejectedContent,        // this text will never pass
  kDeliveryFailed,         // taken, then lost on the way
  kGone,                   // no such verification
  kRejected,               // refused with a code that is not in our table
};
// "INVALID_RECIPIENT"; empty for kNone.
[[nodiscard]] std::string_view Word(Refusal refusal);

struct SendOrder {
  Uuid attempt_id;         // one per provider call; the provider's records carry it
  Secret<std::string> to;  // E.164
  std::string purpose;     // "signup", "login"
  Channel channel = Channel::kSms;
  std::string locale{};          // BCP 47, may be empty
  Secret<std::string> code{};    // empty when the provider makes the code
  std::chrono::seconds life{0};  // what is left of the code's life, > 0
  // Only for providers that make the code: the verification that this send replaces. It is
  // cancelled first, because otherwise the provider would repeat the old code with its old expiry
  // and counts. If that fails nothing is sent (kNotSent).
  std::string supersedes_sid{};     // may be empty
  bool supersedes_unknown = false;  // an earlier send to this number ended in kUnknown, without sid
  std::string traceparent{};        // W3C, may be empty
};

enum class SendStatus {
  kSent,      // the provider took it; provider_sid is its id
  kNotSent,   // provably not processed: never left, or 429; may be tried again after retry_after
  kRejected,  // refused for good, nothing was sent
  kUnknown,   // may have been processed; never repeat it blindly
};

struct SendOutcome {
  SendStatus status = SendStatus::kUnknown;
  std::string provider_sid{};                // kSent
  Refusal refusal = Refusal::kNone;          // kRejected
  std::chrono::milliseconds retry_after{0};  // 0: the provider did not say
  int provider_code = 0;                     // the provider's own error code, 0 for none
  std::string detail{};                      // for our log: no number, no code
};

struct CheckOrder {
  std::string provider_sid;  // of the send that is live
  std::string purpose;
  Secret<std::string> code;
  // This claim was counted before and its answer never recorded, and no other claim of this
  // verification is in that state. Only then does "converted" at the provider prove this code.
  bool answer_was_lost = false;
  std::string traceparent{};
};

enum class CheckStatus {
  kApproved,
  kWrong,     // counted by the provider too
  kGone,      // used, expired, cancelled or locked: no code can be right any more
  kNotAsked,  // the question provably did not reach the provider; ask again after retry_after
  kUnknown,   // no answer, or no proof yet of one that was lost: refuse now, the same claim may ask
              // again with answer_was_lost
};

struct CheckOutcome {
  CheckStatus status = CheckStatus::kUnknown;
  std::chrono::milliseconds retry_after{0};
  int provider_code = 0;
  std::string detail{};
};

struct CancelOrder {
  std::string provider_sid;
  std::string purpose;
  std::string traceparent{};
};

// kDone: cancelled, or there was nothing to cancel. A cancellation may be repeated at will.
enum class CancelStatus { kDone, kTryAgain };

struct Health {
  enum class Status { kReady, kMisconfigured, kUnreachable };
  Status status = Status::kUnreachable;
  std::string message{};  // for the operator: what is wrong and which key to look at; no secret
};

// What a provider can do; constant after construction.
struct Capabilities {
  std::string name;         // "twilio-verify", "twilio-messaging", "log"
  bool makes_code = false;  // then SendOrder::code is empty and Check decides
  std::vector<Channel> channels{};
};

using SendDone = std::function<void(SendOutcome)>;
using CheckDone = std::function<void(CheckOutcome)>;
using CancelDone = std::function<void(CancelStatus)>;

class Provider {
 public:
  virtual ~Provider() = default;

  // Sends at most once. Only where the provider says that another request for the number was under
  // way and this one was not processed, it is asked once more after a moment. The caller
  // serialises sends per (purpose, recipient).
  virtual void Send(SendOrder order, Deadline deadline, SendDone done) = 0;
  // Only for providers that make the code; others answer kGone.
  virtual void Check(CheckOrder order, Deadline deadline, CheckDone done) = 0;
  // Ends a verification that expired or was replaced; kDone at once where there is none.
  virtual void Cancel(CancelOrder order, Deadline deadline, CancelDone done) = 0;
  // Blocks; for the start of the process. kMisconfigured must stop it, kUnreachable need not.
  [[nodiscard]] virtual Health SelfCheck(Deadline deadline) = 0;
  [[nodiscard]] virtual const Capabilities& Describe() const = 0;
};

}  // namespace countersign::otp::providers
