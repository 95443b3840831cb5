#pragma once
// What the service tells the world: the only file that names topics and event types. Payloads are
// the proto3 JSON form of countersign.events.v1 with proto field names and all fields written, made
// by a small writer (protobuf's own takes ten times as long; a test compares the two).
//
// Some values are known only inside the statement that writes the row. Their places hold the marks
// below, which the statement replaces; no other value can contain a brace (sealed boxes, ids and
// checked words cannot).
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/uuid.h"
#include "services/auth/domain/channel.h"
#include "services/auth/domain/event_kind.h"
#include "services/auth/domain/ids.h"

namespace countersign::auth {

namespace events {
inline constexpr EventKind kSendOtp{"verification", "otp.send"};
inline constexpr EventKind kUserCreated{"user.created", "user.created"};
inline constexpr EventKind kUserVerified{"auth.log", "user.verified"};
inline constexpr EventKind kLoggedIn{"auth.log", "session.logged_in"};
inline constexpr EventKind kLoginFailed{"auth.log", "session.login_failed"};
inline constexpr EventKind kRefreshed{"auth.log", "session.refreshed"};
inline constexpr EventKind kLoggedOut{"auth.log", "session.logged_out"};
inline constexpr EventKind kRevoked{"auth.log", "session.revoked"};

// Marks.
inline constexpr std::string_view kNow = "{now}";                 // RFC 3339, database time
inline constexpr std::string_view kExpiresAt = "{expires_at}";    // RFC 3339
inline constexpr std::string_view kSubjectId = "{subject_id}";    // of the number
inline constexpr std::string_view kSendNumber = "{send_number}";  // a number, without quotes
inline constexpr std::string_view kReason = "{reason}";
inline constexpr std::string_view kUserId = "{user_id}";
}  // namespace events

// Sealed contents. Sealing contexts: docs/events.md.
struct PersonalData {
  std::string_view phone_number{};
  std::string_view first_name{};
  std::string_view last_name{};
  std::string_view email{};
  std::string_view salutation{};
  std::string_view device_id{};
  std::string_view ip_address{};
  std::string_view user_agent{};
};
// Only what is not empty is written.
[[nodiscard]] std::string ToJson(const PersonalData& data);
[[nodiscard]] std::string PersonalDataContext(const Uuid& event_id);

struct SealedRecipient {
  std::string_view phone_number;
  bool deliver = true;
};
// Blanks at the end make every recipient as long as any other, or the box would tell a decoy by its
// length.
[[nodiscard]] std::string ToJson(const SealedRecipient& recipient);
[[nodiscard]] std::string RecipientContext(const Uuid& send_event_id);

// Payloads. Times are the mark kNow.
struct SendOtpEvent {
  Uuid challenge_id;
  std::string_view purpose;
  Channel channel;
  std::string_view locale;
  std::string_view sealed_recipient;
};
[[nodiscard]] std::string ToJson(const SendOtpEvent& event);

struct UserCreatedEvent {
  UserId user_id;
  std::string_view country;
  std::string_view sealed_personal;
};
[[nodiscard]] std::string ToJson(const UserCreatedEvent& event);

struct UserVerifiedEvent {
  UserId user_id;
};
[[nodiscard]] std::string ToJson(const UserVerifiedEvent& event);

struct LoggedInEvent {
  UserId user_id;
  SessionId session_id;
  const std::vector<std::string>& methods;
  std::string_view sealed_personal;
};
[[nodiscard]] std::string ToJson(const LoggedInEvent& event);

struct LoginFailedEvent {
  std::string_view user_id;  // text, empty without an account
  Uuid challenge_id;
  std::string_view step;
};
[[nodiscard]] std::string ToJson(const LoginFailedEvent& event);

// These three are about a session known by its token alone: user_id is the mark kUserId.
struct RefreshedEvent {
  SessionId session_id;
};
[[nodiscard]] std::string ToJson(const RefreshedEvent& event);

struct LoggedOutEvent {
  SessionId session_id;
};
[[nodiscard]] std::string ToJson(const LoggedOutEvent& event);

// Its reason is the mark kReason.
struct RevokedEvent {
  SessionId session_id;
};
[[nodiscard]] std::string ToJson(const RevokedEvent& event);

// The row's header object: {"traceparent":"…"}, for SendOtp with `expires_at` (a mark).
[[nodiscard]] std::string EventHeaders(std::string_view traceparent);
[[nodiscard]] std::string SendOtpHeaders(std::string_view traceparent);

}  // namespace countersign::auth
