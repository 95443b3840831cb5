#include "services/otp/events.h"

#include "libs/core/json_object.h"

namespace countersign::otp {
namespace {

constexpr std::string_view kSchemaVersion = "1";

}  // namespace

std::string ToJson(const DeliveryEvent& event) {
  return JsonObject()
      .Plain("schema_version", kSchemaVersion)
      .Text("challenge_id", ToString(event.challenge_id))
      .Text("subject_id", ToString(event.subject_id))
      .Text("send_event_id", ToString(event.send_event_id))
      .Plain("attempt_number", events::kAttemptNumber)
      .Text("channel", event.channel)
      .Text("provider", event.provider)
      .Text("provider_message_id", event.provider_message_id)
      .Text("reason_class", event.reason_class)
      .Plain("provider_code", std::to_string(event.provider_code))
      .Text("occurred_at", events::kNow)
      .Close();
}

std::string ToJson(const CheckedEvent& event) {
  return JsonObject()
      .Plain("schema_version", kSchemaVersion)
      .Text("challenge_id", ToString(event.challenge_id))
      .Text("subject_id", events::kSubjectId)
      .Text("purpose", ToString(event.purpose))
      .Plain("attempts", events::kAttempts)
      .Text("occurred_at", events::kNow)
      .Close();
}

std::string EventHeaders(std::string_view traceparent) {
  return JsonObject().TextUnlessEmpty("traceparent", traceparent).Close();
}

std::string RecipientContext(const Uuid& send_event_id) {
  return "otp.send/" + ToString(send_event_id);
}

}  // namespace countersign::otp
