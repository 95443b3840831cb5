#include "services/auth/rpc/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "libs/core/random.h"

namespace countersign::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr Instant kNow{std::chrono::microseconds(1'767'322'445'000'006)};
constexpr Instant kLater = kNow + std::chrono::minutes(10);

Uuid SomeUuid() {
  SystemRandom random;
  return RandomUuid(random);
}

Instant ToInstant(const google::protobuf::Timestamp& timestamp) {
  return Instant(std::chrono::seconds(timestamp.seconds())) +
         std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::nanoseconds(timestamp.nanos()));
}

// Every text field gets its own name as content, so that two fields swapped show.
template <typename Message>
Message FilledWithNames() {
  Message message;
  for (int i = 0; i < Message::descriptor()->field_count(); ++i) {
    const auto* field = Message::descriptor()->field(i);
    if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING)
      message.GetReflection()->SetString(&message, field, field->name());
  }
  return message;
}

TEST(Convert, ReadsEveryFieldOfASignUp) {
  auto request = FilledWithNames<v1::SignupWithPhoneNumberRequest>();
  request.set_channel(v1::CHANNEL_VOICE);
  const auto signup = Read(request);
  ASSERT_TRUE(signup);
  EXPECT_EQ(signup->phone_number, "phone_number");
  EXPECT_EQ(signup->name, "name");
  EXPECT_EQ(signup->first_name, "first_name");
  EXPECT_EQ(signup->last_name, "last_name");
  EXPECT_EQ(signup->email, "email");
  EXPECT_EQ(signup->country, "country");
  EXPECT_EQ(signup->salutation, "salutation");
  EXPECT_EQ(signup->locale, "locale");
  EXPECT_EQ(signup->device_id, "device_id");
  EXPECT_EQ(signup->channel, Channel::kVoice);
}

TEST(Convert, ReadsEveryFieldOfTheOtherRequests) {
  auto login_request = FilledWithNames<v1::LoginWithPhoneNumberRequest>();
  login_request.set_channel(v1::CHANNEL_SMS);
  const auto login = Read(login_request);
  ASSERT_TRUE(login);
  EXPECT_EQ(login->phone_number, "phone_number");
  EXPECT_EQ(login->locale, "locale");
  EXPECT_EQ(login->channel, Channel::kSms);

  auto resend_request = FilledWithNames<v1::ResendCodeRequest>();
  resend_request.set_channel(v1::CHANNEL_WHATSAPP);
  const auto resend = Read(resend_request);
  ASSERT_TRUE(resend);
  EXPECT_EQ(resend->verification_id, "verification_id");
  EXPECT_EQ(resend->channel, Channel::kWhatsapp);

  const auto verify_request = FilledWithNames<v1::VerifyPhoneNumberRequest>();
  const auto validate_request = FilledWithNames<v1::ValidatePhoneNumberLoginRequest>();
  for (const RedeemCode& redeem : {Read(verify_request), Read(validate_request)}) {
    EXPECT_EQ(redeem.verification_id, "verification_id");
    EXPECT_EQ(redeem.code, "code");
    EXPECT_EQ(redeem.device_id, "device_id");
  }
}

TEST(Convert, NoChannelIsNoChoiceAndAnUnknownOneIsRefused) {
  v1::SignupWithPhoneNumberRequest request;
  ASSERT_TRUE(Read(request));
  EXPECT_EQ(Read(request)->channel, std::nullopt);
  for (const int unknown : {-1, 4, 77}) {
    request.set_channel(static_cast<v1::Channel>(unknown));
    const auto refused = Read(request);
    ASSERT_FALSE(refused) << unknown;
    EXPECT_EQ(refused.error().reason, &reasons::kChannelUnsupported);
    EXPECT_EQ(refused.error().field, "channel");
  }
}

// A channel added to the contract must be read, or it would be refused for ever.
TEST(Convert, KnowsEveryChannelOfTheContract) {
  const auto* channels = v1::Channel_descriptor();
  ASSERT_EQ(static_cast<std::size_t>(channels->value_count()), kAllChannels.size() + 1);
  v1::ResendCodeRequest request;
  for (int i = 0; i < channels->value_count(); ++i) {
    request.set_channel(static_cast<v1::Channel>(channels->value(i)->number()));
    EXPECT_TRUE(Read(request)) << channels->value(i)->name();
  }
}

TEST(Convert, WritesAStartedVerification) {
  const StartedVerification started{
      .verification_id = Secret<std::string>("id"), .expires_at = kLater, .resend_after = kNow};
  const auto response = ToStarted<v1::LoginWithPhoneNumberResponse>(started);
  EXPECT_EQ(response.verification().verification_id(), "id");
  EXPECT_EQ(ToInstant(response.verification().expires_at()), kLater);
  EXPECT_EQ(ToInstant(response.verification().resend_after()), kNow);
  EXPECT_EQ(response.verification().resend_after().nanos(), 6'000);
}

TEST(Convert, WritesABegunSession) {
  const BegunSession begun{.user_id = UserId{SomeUuid()},
                           .tokens = {.access_token = Secret<std::string>("access"),
                                      .access_expires_at = kNow,
                                      .refresh_token = Secret<std::string>("refresh"),
                                      .refresh_expires_at = kLater,
                                      .session_id = SessionId{SomeUuid()}}};
  const auto response = ToBegun<v1::VerifyPhoneNumberResponse>(begun);
  EXPECT_EQ(response.user_id(), ToString(begun.user_id));
  EXPECT_EQ(response.tokens().access_token(), "access");
  EXPECT_EQ(ToInstant(response.tokens().access_expires_at()), kNow);
  EXPECT_EQ(response.tokens().refresh_token(), "refresh");
  EXPECT_EQ(ToInstant(response.tokens().refresh_expires_at()), kLater);
  EXPECT_EQ(response.tokens().session_id(), ToString(begun.tokens.session_id));
  EXPECT_EQ(ToRefreshed(begun.tokens).tokens().SerializeAsString(),
            response.tokens().SerializeAsString());
}

TEST(Convert, WritesAProfile) {
  const Profile profile{.user_id = UserId{SomeUuid()},
                        .phone_number = "phone",
                        .first_name = "first",
                        .last_name = "last",
                        .email = "email",
                        .country = "country",
                        .salutation = "salutation",
                        .locale = "locale",
                        .role = "role",
                        .status = AccountStatus::kActive,
                        .created_at = kNow,
                        .version = 7,
                        .level = 3};
  const auto response = ToProfile(profile);
  const v1::Profile& out = response.profile();
  EXPECT_EQ(out.user_id(), ToString(profile.user_id));
  EXPECT_EQ(out.phone_number(), "phone");
  EXPECT_EQ(out.first_name(), "first");
  EXPECT_EQ(out.last_name(), "last");
  EXPECT_EQ(out.email(), "email");
  EXPECT_EQ(out.country(), "country");
  EXPECT_EQ(out.salutation(), "salutation");
  EXPECT_EQ(out.locale(), "locale");
  EXPECT_EQ(out.role(), "role");
  EXPECT_EQ(out.status(), v1::ACCOUNT_STATUS_ACTIVE);
  EXPECT_EQ(ToInstant(out.created_at()), kNow);
  EXPECT_EQ(out.version(), 7);
  EXPECT_EQ(out.level(), 3);
}

TEST(Convert, WritesEveryStatus) {
  const std::map<AccountStatus, v1::AccountStatus> statuses = {
      {AccountStatus::kPending, v1::ACCOUNT_STATUS_PENDING},
      {AccountStatus::kActive, v1::ACCOUNT_STATUS_ACTIVE},
      {AccountStatus::kSuspended, v1::ACCOUNT_STATUS_SUSPENDED},
      {AccountStatus::kDeleted, v1::ACCOUNT_STATUS_UNSPECIFIED}};
  Profile profile{};
  for (const auto& [status, wire] : statuses) {
    profile.status = status;
    EXPECT_EQ(ToProfile(profile).profile().status(), wire);
  }
}

TEST(Convert, AnInactiveTokenSaysNothingElse) {
  EXPECT_EQ(ToIntrospected(std::nullopt).ByteSizeLong(), 0U);
}

TEST(Convert, WritesAnActiveToken) {
  const IntrospectedToken token{.claims = {.issuer = "issuer",
                                           .audiences = {"fleet", "shop"},
                                           .user_id = UserId{SomeUuid()},
                                           .session_id = SessionId{SomeUuid()},
                                           .client_id = "app",
                                           .methods = {"otp", "sms"},
                                           .role = "user",
                                           .token_id = "jti",
                                           .issued_at = kNow,
                                           .expires_at = kLater},
                                .role = "artist"};
  const auto response = ToIntrospected(token);
  EXPECT_TRUE(response.active());
  EXPECT_EQ(response.user_id(), ToString(token.claims.user_id));
  EXPECT_EQ(response.session_id(), ToString(token.claims.session_id));
  EXPECT_EQ(response.role(), "artist");  // as it is now, not as it was signed
  EXPECT_EQ(ToInstant(response.issued_at()), kNow);
  EXPECT_EQ(ToInstant(response.expires_at()), kLater);
  EXPECT_THAT(response.authentication_methods(), ElementsAre("otp", "sms"));
  EXPECT_EQ(response.client_id(), "app");
  EXPECT_THAT(response.audiences(), ElementsAre("fleet", "shop"));
}

TEST(Convert, WritesAKeySet) {
  jose::Jwk other{};
  other.kid = "other";
  const auto response = ToJwks({jose::Jwk{.kty = "kty",
                                          .crv = "crv",
                                          .x = "x",
                                          .y = "y",
                                          .kid = "kid",
                                          .alg = "alg",
                                          .use = "use"},
                                other});
  ASSERT_THAT(response.keys(), SizeIs(2));
  const v1::Jwk& key = response.keys(0);
  for (int i = 0; i < v1::Jwk::descriptor()->field_count(); ++i) {
    const auto* field = v1::Jwk::descriptor()->field(i);
    EXPECT_EQ(key.GetReflection()->GetString(key, field), field->name());
  }
  EXPECT_EQ(response.keys(1).kid(), "other");
  EXPECT_GT(response.max_age_seconds(), 0);
}

}  // namespace
}  // namespace countersign::auth
