#include "services/auth/events.h"

#include <algorithm>

namespace countersign::auth {
namespace {

constexpr int kSchemaVersion = 1;
constexpr std::size_t kTypicalPayloadBytes = 512;
// Above the longest: 15 digits, not delivered.
constexpr std::size_t kRecipientBytes = 64;

// One flat JSON object, written in order.
class Object {
 public:
  Object() { json_.reserve(kTypicalPayloadBytes); }

  Object& Text(std::string_view name, std::string_view value) {
    Name(name);
    Quote(value);
    return *this;
  }
  Object& TextUnlessEmpty(std::string_view name, std::string_view value) {
    return value.empty() ? *this : Text(name, value);
  }
  // A number, `true` or a mark that stands for a number.
  Object& Plain(std::string_view name, std::string_view value) {
    Name(name);
    json_ += value;
    return *this;
  }
  Object& Texts(std::string_view name, const std::vector<std::string>& values) {
    Name(name);
    json_ += '[';
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) json_ += ',';
      Quote(values[i]);
    }
    json_ += ']';
    return *this;
  }
  [[nodiscard]] std::string Close() {
    json_ += json_.empty() ? "{}" : "}";
    return std::move(json_);
  }

 private:
  void Name(std::string_view name) {
    json_ += json_.empty() ? "{\"" : ",\"";
    json_ += name;
    json_ += "\":";
  }
  // Input is UTF-8 already; RFC 8259 section 7 asks for no more than this.
  void Quote(std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    json_ += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') {
        json_ += '\\';
        json_ += c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        json_ += "\\u00";
        json_ += kHex[static_cast<unsigned char>(c) >> 4];
        json_ += kHex[static_cast<unsigned char>(c) & 15];
      } else {
        json_ += c;
      }
    }
    json_ += '"';
  }

  std::string json_;
};

Object Versioned() {
  Object object;
  object.Plain("schema_version", std::to_string(kSchemaVersion));
  return object;
}

Object OfSession(std::string_view user_id, const SessionId& session) {
  Object object = Versioned();
  object.Text("user_id", user_id).Text("session_id", ToString(session));
  return object;
}

}  // namespace

std::string ToJson(const PersonalData& data) {
  return Object()
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
  std::string json = Object()
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
  return Object().TextUnlessEmpty("traceparent", traceparent).Close();
}

std::string SendOtpHeaders(std::string_view traceparent) {
  return Object()
      .Text("expires_at", events::kExpiresAt)
      .TextUnlessEmpty("traceparent", traceparent)
      .Close();
}

}  // namespace countersign::auth
