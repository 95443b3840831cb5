#include "services/otp/events.h"

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "countersign/events/v1/events.pb.h"

namespace countersign::otp {
namespace {

namespace v1 = countersign::events::v1;
namespace pb = google::protobuf;

const ChallengeId kChallenge{*ParseUuid("019a0000-0000-4000-8000-000000000003")};
const SubjectId kSubject{*ParseUuid("019a0000-0000-4000-8000-000000000004")};
const Uuid kEvent = *ParseUuid("019a0000-0000-7000-8000-000000000005");
constexpr char kTime[] = "2026-01-02T03:04:05.000006Z";

// As the statement does.
std::string Filled(std::string json) {
  const std::pair<std::string_view, std::string> values[] = {
      {events::kNow, kTime},
      {events::kSubjectId, ToString(kSubject)},
      {events::kAttemptNumber, "2"},
      {events::kAttempts, "5"}};
  for (const auto& [mark, value] : values) {
    const std::size_t at = json.find(mark);
    if (at != std::string::npos) json.replace(at, mark.size(), value);
  }
  return json;
}

template <typename Message>
void ExpectAsProtobufWritesIt(const std::string& ours, const Message& message) {
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string theirs;
  ASSERT_TRUE(pb::util::MessageToJsonString(message, &theirs, options).ok());
  EXPECT_EQ(ours, theirs);
}

TEST(Events, TheFateOfACodeIsAsProtobufWritesIt) {
  v1::OtpDelivery message;
  message.set_schema_version(1);
  message.set_challenge_id(ToString(kChallenge));
  message.set_subject_id(ToString(kSubject));
  message.set_send_event_id(ToString(kEvent));
  message.set_attempt_number(2);
  message.set_channel("voice");
  message.set_provider("twilio-messaging");
  message.set_provider_message_id("SM\"1");
  message.set_reason_class("OPTED_OUT");
  message.set_provider_code(21610);
  message.set_occurred_at(kTime);
  ExpectAsProtobufWritesIt(Filled(ToJson(DeliveryEvent{.send_event_id = kEvent,
                                                       .challenge_id = kChallenge,
                                                       .subject_id = kSubject,
                                                       .channel = "voice",
                                                       .provider = "twilio-messaging",
                                                       .provider_message_id = "SM\"1",
                                                       .reason_class = "OPTED_OUT",
                                                       .provider_code = 21610})),
                           message);
}

TEST(Events, AVerdictIsAsProtobufWritesIt) {
  v1::OtpChecked message;
  message.set_schema_version(1);
  message.set_challenge_id(ToString(kChallenge));
  message.set_subject_id(ToString(kSubject));
  message.set_purpose("login");
  message.set_attempts(5);
  message.set_occurred_at(kTime);
  ExpectAsProtobufWritesIt(
      Filled(ToJson(CheckedEvent{.challenge_id = kChallenge, .purpose = Purpose::kLogin})),
      message);
}

TEST(Events, HeadersCarryTheTrace) {
  EXPECT_EQ(EventHeaders("00-a-b-01"), R"({"traceparent":"00-a-b-01"})");
  EXPECT_EQ(EventHeaders(""), "{}");
}

}  // namespace
}  // namespace countersign::otp
