#include "services/auth/events.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "countersign/events/v1/events.pb.h"

namespace countersign::auth {
namespace {

namespace v1 = countersign::events::v1;
namespace pb = google::protobuf;

const UserId kUser{*ParseUuid("019a0000-0000-7000-8000-000000000001")};
const SessionId kSession{*ParseUuid("019a0000-0000-7000-8000-000000000002")};
const Uuid kChallenge = *ParseUuid("019a0000-0000-4000-8000-000000000003");
constexpr std::string_view kAwkward = "Zoë \"Quote\" \\ <b>&'/ \xE2\x80\xA8 𝒜";

// As the statement does.
std::string Filled(std::string json) {
  const std::pair<std::string_view, std::string_view> values[] = {
      {events::kNow, "2026-01-02T03:04:05.000006Z"},
      {events::kExpiresAt, "2026-01-02T03:09:05.000006Z"},
      {events::kSubjectId, "019a0000-0000-4000-8000-000000000004"},
      {events::kSendNumber, "2"},
      {events::kReason, "wrong"},
      {events::kUserId, "019a0000-0000-7000-8000-000000000001"}};
  for (const auto& [mark, value] : values) {
    const std::size_t at = json.find(mark);
    if (at != std::string::npos) json.replace(at, mark.size(), value);
  }
  return json;
}

// The same text as protobuf's own printer makes of the message, hence also field for field the
// same.
template <typename Message>
void ExpectAsProtobufWritesIt(const std::string& ours, const Message& message) {
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string theirs;
  ASSERT_TRUE(pb::util::MessageToJsonString(message, &theirs, options).ok());
  EXPECT_EQ(ours, theirs);
}

template <typename Message>
void ExpectParsesTo(const std::string& ours, const Message& message) {
  Message parsed;
  ASSERT_TRUE(pb::util::JsonStringToMessage(ours, &parsed).ok()) << ours;
  EXPECT_TRUE(pb::util::MessageDifferencer::Equals(parsed, message)) << ours;
}

TEST(Events, SendOtpIsAsProtobufWritesIt) {
  v1::SendOtp message;
  message.set_schema_version(1);
  message.set_challenge_id(ToString(kChallenge));
  message.set_subject_id("019a0000-0000-4000-8000-000000000004");
  message.set_purpose("login");
  message.set_channel("whatsapp");
  message.set_sealed_recipient("v1.20260102.AAAA");
  message.set_send_number(2);
  message.set_expires_at("2026-01-02T03:09:05.000006Z");
  ExpectAsProtobufWritesIt(Filled(ToJson(SendOtpEvent{.challenge_id = kChallenge,
                                                      .purpose = "login",
                                                      .channel = Channel::kWhatsapp,
                                                      .locale = "",
                                                      .sealed_recipient = "v1.20260102.AAAA"})),
                           message);
}

TEST(Events, UserCreatedIsAsProtobufWritesIt) {
  v1::UserCreated message;
  message.set_schema_version(1);
  message.set_user_id(ToString(kUser));
  message.set_account_type("user");
  message.set_role("user");
  message.set_country("DE");
  message.set_created_at("2026-01-02T03:04:05.000006Z");
  message.set_sealed_personal("v1.x.AAAA");
  ExpectAsProtobufWritesIt(Filled(ToJson(UserCreatedEvent{
                               .user_id = kUser, .country = "DE", .sealed_personal = "v1.x.AAAA"})),
                           message);
}

TEST(Events, SessionEventsAreAsProtobufWritesThem) {
  v1::UserVerified verified;
  verified.set_schema_version(1);
  verified.set_user_id(ToString(kUser));
  verified.set_method("phone");
  verified.set_verified_at("2026-01-02T03:04:05.000006Z");
  ExpectAsProtobufWritesIt(Filled(ToJson(UserVerifiedEvent{kUser})), verified);

  v1::SessionLoggedIn logged_in;
  logged_in.set_schema_version(1);
  logged_in.set_user_id(ToString(kUser));
  logged_in.set_session_id(ToString(kSession));
  logged_in.add_authentication_methods("otp");
  logged_in.add_authentication_methods("sms");
  logged_in.set_logged_in_at("2026-01-02T03:04:05.000006Z");
  logged_in.set_sealed_personal("v1.x.AAAA");
  const std::vector<std::string> methods = {"otp", "sms"};
  ExpectAsProtobufWritesIt(Filled(ToJson(LoggedInEvent{kUser, kSession, methods, "v1.x.AAAA"})),
                           logged_in);

  v1::SessionLoginFailed failed;
  failed.set_schema_version(1);
  failed.set_challenge_id(ToString(kChallenge));
  failed.set_step("verify_phone_number");
  failed.set_reason("wrong");
  failed.set_failed_at("2026-01-02T03:04:05.000006Z");
  ExpectAsProtobufWritesIt(Filled(ToJson(LoginFailedEvent{"", kChallenge, "verify_phone_number"})),
                           failed);
}

TEST(Events, EndsOfSessionsAreAsProtobufWritesThem) {
  v1::SessionRefreshed refreshed;
  refreshed.set_schema_version(1);
  refreshed.set_user_id(ToString(kUser));
  refreshed.set_session_id(ToString(kSession));
  refreshed.set_refreshed_at("2026-01-02T03:04:05.000006Z");
  ExpectAsProtobufWritesIt(Filled(ToJson(RefreshedEvent{kSession})), refreshed);

  v1::SessionLoggedOut logged_out;
  logged_out.set_schema_version(1);
  logged_out.set_user_id(ToString(kUser));
  logged_out.set_session_id(ToString(kSession));
  logged_out.set_logged_out_at("2026-01-02T03:04:05.000006Z");
  ExpectAsProtobufWritesIt(Filled(ToJson(LoggedOutEvent{kSession})), logged_out);

  v1::SessionRevoked revoked;
  revoked.set_schema_version(1);
  revoked.set_user_id(ToString(kUser));
  revoked.set_session_id(ToString(kSession));
  revoked.set_reason("wrong");
  revoked.set_revoked_at("2026-01-02T03:04:05.000006Z");
  ExpectAsProtobufWritesIt(Filled(ToJson(RevokedEvent{kSession})), revoked);
}

TEST(Events, SealedContentsSurviveAwkwardText) {
  v1::PersonalData personal;
  personal.set_phone_number("+4915112345678");
  personal.set_first_name(std::string(kAwkward));
  personal.set_user_agent("tab\tand\x01");
  ExpectParsesTo(
      ToJson(PersonalData{
          .phone_number = "+4915112345678", .first_name = kAwkward, .user_agent = "tab\tand\x01"}),
      personal);
  ExpectParsesTo(ToJson(PersonalData{}), v1::PersonalData());

  v1::SealedRecipient recipient;
  recipient.set_phone_number("+4915112345678");
  recipient.set_deliver(true);
  ExpectParsesTo(ToJson(SealedRecipient{.phone_number = "+4915112345678"}), recipient);
  recipient.set_deliver(false);
  ExpectParsesTo(ToJson(SealedRecipient{.phone_number = "+4915112345678", .deliver = false}),
                 recipient);
}

TEST(Events, HeadersCarryTheTraceAndForSendsTheExpiry) {
  EXPECT_EQ(EventHeaders("00-a-b-01"), R"({"traceparent":"00-a-b-01"})");
  EXPECT_EQ(EventHeaders(""), "{}");
  EXPECT_EQ(SendOtpHeaders("00-a-b-01"),
            R"({"expires_at":"{expires_at}","traceparent":"00-a-b-01"})");
}

}  // namespace
}  // namespace countersign::auth
