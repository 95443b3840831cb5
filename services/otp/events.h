#pragma once
// What the service tells the world: the only file that names topics and event types. Payloads are
// the proto3 JSON form of countersign.events.v1 with proto field names and all fields written.
//
// Some values are known only inside the statement that writes the row. Their places hold the marks
// below, which the statement replaces.
#include <string>
#include <string_view>

#include "libs/core/uuid.h"
#include "services/otp/domain/challenge.h"
#include "services/otp/domain/event_kind.h"

namespace countersign::otp {

namespace events {
inline constexpr EventKind kSent{"otp.log", "otp.sent"};
inline constexpr EventKind kFailed{"otp.log", "otp.failed"};
inline constexpr EventKind kUnknown{"otp.log", "otp.unknown"};
inline constexpr EventKind kExpired{"otp.log", "otp.expired"};
inline constexpr EventKind kApproved{"otp.log", "otp.approved"};
inline constexpr EventKind kAttemptsExceeded{"otp.log", "otp.attempts_exceeded"};

// The command this service obeys.
inline constexpr std::string_view kSendOtp = "otp.send";

// Marks.
inline constexpr std::string_view kNow = "{now}";                // RFC 3339, database time
inline constexpr std::string_view kSubjectId = "{subject_id}";   // of the number
inline constexpr std::string_view kAttemptNumber = "{attempt}";  // a number, without quotes
inline constexpr std::string_view kAttempts = "{attempts}";      // a number, without quotes
}  // namespace events

// Of all four fates of a code. Its attempt_number is a mark.
struct DeliveryEvent {
  Uuid send_event_id;
  ChallengeId challenge_id;
  SubjectId subject_id;
  std::string_view channel;
  std::string_view provider;
  std::string_view provider_message_id{};
  std::string_view reason_class{};
  int provider_code = 0;
};
[[nodiscard]] std::string ToJson(const DeliveryEvent& event);

// Approved, or attempts exceeded. Subject and attempts are marks.
struct CheckedEvent {
  ChallengeId challenge_id;
  Purpose purpose;
};
[[nodiscard]] std::string ToJson(const CheckedEvent& event);

// The row's header object: {"traceparent":"..."}.
[[nodiscard]] std::string EventHeaders(std::string_view traceparent);

// What a sealed recipient was sealed for (docs/events.md, section Sealing).
[[nodiscard]] std::string RecipientContext(const Uuid& send_event_id);

}  // namespace countersign::otp
