#include "services/auth/events.h"

#include <algorithm>

#include "libs/core/json_object.h"

namespace countersign::auth {
namespace {

constexpr int kSchemaVersion = 1;
// Above the longest: 15 digits, not delivered.
constexpr std::size_t kRecipientBytes = 64;

JsonObject Versioned() {
  JsonObject object;
  object.Plain("schema_version", std::to_string(kSchemaVersion));
  return object;
}

JsonObject OfSession(std::string_view user_id, const SessionId& session) {
  JsonObject object = Versioned();
  object.Text("user_id", user_id).Text("session_id", ToString(session));
  return object;
}

}  // namespace

std::string ToJson(const PersonalData& data) {
  return JsonObject()
      .TextUnlessEmpty("phone_number", data.phone_number)
      .TextUnlessEmpty("first_name", data.first_name)
      .TextUnlessEmpty("last_name", data.last_name)
      .TextUnlessEmpty("email", data.email)
      .TextUnlessEmpty("salutation", data.salutation)
      .TextUnlessEmpty("device_id", data.device_id)
      .TextUnlessEmpty("ip_address", data.ip_address)
      .TextUnlessEmpty("user_agent", data.user_agent)
      .Close();
}

std::string PersonalDataContext(const Uuid& event_id) {
  return ToString(event_id) + "/sealed_personal";
}

std::string ToJson(const SealedRecipient& recipient) {
  std::string json = JsonObject()
                         .Text("phone_number", recipient.phone_number)
                         .Plain("deliver", recipient.deliver ? "true" : "false")
                         .Close();
  json.resize(std::max(json.size(), kRecipientBytes), ' ');
  return json;
}

std::string RecipientContext(const Uuid& send_event_id) {
  return "otp.send/" + ToString(send_event_id);
}

std::string ToJson(const SendOtpEvent& event) {
  return Versioned()
      .Text("challenge_id", ToString(event.challenge_id))
      .Text("subject_id", events::kSubjectId)
      .Text("purpose", event.purpose)
      .Text("channel", ToString(event.channel))
      .Text("locale", event.locale)
      .Text("sealed_recipient", event.sealed_recipient)
      .Plain("send_number", events::kSendNumber)
      .Text("expires_at", events::kExpiresAt)
      .Close();
}

std::string ToJson(const UserCreatedEvent& event) {
  return Versioned()
      .Text("user_id", ToString(event.user_id))
      .Text("account_type", "user")
      .Text("role", "user")
      .Text("country", event.country)
      .Plain("level", "0")
      .Text("created_at", events::kNow)
      .Text("sealed_personal", event.sealed_personal)
      .Close();
}

std::string ToJson(const UserVerifiedEvent& event) {
  return Versioned()
      .Text("user_id", ToString(event.user_id))
      .Text("method", "phone")
      .Text("verified_at", events::kNow)
      .Close();
}

std::string ToJson(const LoggedInEvent& event) {
  return OfSession(ToString(event.user_id), event.session_id)
      .Texts("authentication_methods", event.methods)
      .Text("logged_in_at", events::kNow)
      .Text("sealed_personal", event.sealed_personal)
      .Close();
}

std::string ToJson(const LoginFailedEvent& event) {
  return Versioned()
      .Text("user_id", event.user_id)
      .Text("challenge_id", ToString(event.challenge_id))
      .Text("step", event.step)
      .Text("reason", events::kReason)
      .Text("failed_at", events::kNow)
      .Close();
}

std::string ToJson(const RefreshedEvent& event) {
  return OfSession(events::kUserId, event.session_id).Text("refreshed_at", events::kNow).Close();
}

std::string ToJson(const LoggedOutEvent& event) {
  return OfSession(events::kUserId, event.session_id).Text("logged_out_at", events::kNow).Close();
}

std::string ToJson(const RevokedEvent& event) {
  return OfSession(events::kUserId, event.session_id)
      .Text("reason", events::kReason)
      .Text("revoked_at", events::kNow)
      .Close();
}

std::string EventHeaders(std::string_view traceparent) {
  return JsonObject().TextUnlessEmpty("traceparent", traceparent).Close();
}

std::string SendOtpHeaders(std::string_view traceparent) {
  return JsonObject()
      .Text("expires_at", events::kExpiresAt)
      .TextUnlessEmpty("traceparent", traceparent)
      .Close();
}

}  // namespace countersign::auth
