#include "services/auth/rpc/convert.h"

namespace countersign::auth {
namespace {

// Tokens are signed with a new key at once, so verifiers that meet an unknown key id ask again;
// this is how long a key that was taken away may linger with them.
constexpr std::chrono::seconds kJwksMaxAge{std::chrono::minutes(5)};

void Write(Instant instant, google::protobuf::Timestamp& out) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(instant);
  out.set_seconds(seconds.time_since_epoch().count());
  out.set_nanos(static_cast<int>(std::chrono::nanoseconds(instant - seconds).count()));
}

// Unspecified: no choice.
Result<std::optional<Channel>> Read(v1::Channel channel) {
  switch (channel) {
    case v1::CHANNEL_UNSPECIFIED:
      return std::optional<Channel>();
    case v1::CHANNEL_SMS:
      return std::optional(Channel::kSms);
    case v1::CHANNEL_WHATSAPP:
      return std::optional(Channel::kWhatsapp);
    case v1::CHANNEL_VOICE:
      return std::optional(Channel::kVoice);
    default:  // a number that a newer contract may know
      return Fail(reasons::kChannelUnsupported, {.field = "channel"});
  }
}

template <typename Request>
RedeemCode ReadRedeem(const Request& request) {
  return {.verification_id = request.verification_id(),
          .code = request.code(),
          .device_id = request.device_id()};
}

v1::AccountStatus ToStatus(AccountStatus status) {
  switch (status) {
    case AccountStatus::kPending:
      return v1::ACCOUNT_STATUS_PENDING;
    case AccountStatus::kActive:
      return v1::ACCOUNT_STATUS_ACTIVE;
    case AccountStatus::kSuspended:
      return v1::ACCOUNT_STATUS_SUSPENDED;
    case AccountStatus::kDeleted:
      break;  // has no profile
  }
  return v1::ACCOUNT_STATUS_UNSPECIFIED;
}

}  // namespace

Result<SignupWithPhone> Read(const v1::SignupWithPhoneNumberRequest& request) {
  auto channel = Read(request.channel());
  if (!channel) return Fail(std::move(channel.error()));
  return SignupWithPhone{.phone_number = request.phone_number(),
                         .name = request.name(),
                         .first_name = request.first_name(),
                         .last_name = request.last_name(),
                         .email = request.email(),
                         .country = request.country(),
                         .salutation = request.salutation(),
                         .channel = *channel,
                         .locale = request.locale(),
                         .device_id = request.device_id()};
}

Result<LoginWithPhone> Read(const v1::LoginWithPhoneNumberRequest& request) {
  auto channel = Read(request.channel());
  if (!channel) return Fail(std::move(channel.error()));
  return LoginWithPhone{
      .phone_number = request.phone_number(), .channel = *channel, .locale = request.locale()};
}

Result<ResendCode> Read(const v1::ResendCodeRequest& request) {
  auto channel = Read(request.channel());
  if (!channel) return Fail(std::move(channel.error()));
  return ResendCode{.verification_id = request.verification_id(), .channel = *channel};
}

RedeemCode Read(const v1::VerifyPhoneNumberRequest& request) { return ReadRedeem(request); }
RedeemCode Read(const v1::ValidatePhoneNumberLoginRequest& request) { return ReadRedeem(request); }

void Write(const StartedVerification& started, v1::Verification& out) {
  out.set_verification_id(started.verification_id.Reveal());
  Write(started.expires_at, *out.mutable_expires_at());
  Write(started.resend_after, *out.mutable_resend_after());
}

void Write(const SessionTokens& tokens, v1::Tokens& out) {
  out.set_access_token(tokens.access_token.Reveal());
  Write(tokens.access_expires_at, *out.mutable_access_expires_at());
  out.set_refresh_token(tokens.refresh_token.Reveal());
  Write(tokens.refresh_expires_at, *out.mutable_refresh_expires_at());
  out.set_session_id(ToString(tokens.session_id));
}

v1::RefreshTokenResponse ToRefreshed(const SessionTokens& tokens) {
  v1::RefreshTokenResponse response;
  Write(tokens, *response.mutable_tokens());
  return response;
}

v1::GetProfileResponse ToProfile(const Profile& profile) {
  v1::GetProfileResponse response;
  v1::Profile& out = *response.mutable_profile();
  out.set_user_id(ToString(profile.user_id));
  out.set_phone_number(profile.phone_number);
  out.set_first_name(profile.first_name);
  out.set_last_name(profile.last_name);
  out.set_email(profile.email);
  out.set_country(profile.country);
  out.set_salutation(profile.salutation);
  out.set_locale(profile.locale);
  out.set_role(profile.role);
  out.set_status(ToStatus(profile.status));
  Write(profile.created_at, *out.mutable_created_at());
  out.set_version(profile.version);
  out.set_level(profile.level);
  return response;
}

v1::IntrospectTokenResponse ToIntrospected(const std::optional<IntrospectedToken>& token) {
  v1::IntrospectTokenResponse response;
  if (!token) return response;
  const AccessTokenClaims& claims = token->claims;
  response.set_active(true);
  response.set_user_id(ToString(claims.user_id));
  response.set_session_id(ToString(claims.session_id));
  response.set_role(token->role);
  Write(claims.expires_at, *response.mutable_expires_at());
  Write(claims.issued_at, *response.mutable_issued_at());
  response.mutable_authentication_methods()->Assign(claims.methods.begin(), claims.methods.end());
  response.set_client_id(claims.client_id);
  response.mutable_audiences()->Assign(claims.audiences.begin(), claims.audiences.end());
  return response;
}

v1::GetJwksResponse ToJwks(const std::vector<jose::Jwk>& keys) {
  v1::GetJwksResponse response;
  for (const jose::Jwk& key : keys) {
    v1::Jwk& out = *response.add_keys();
    out.set_kty(key.kty);
    out.set_crv(key.crv);
    out.set_x(key.x);
    out.set_y(key.y);
    out.set_kid(key.kid);
    out.set_alg(key.alg);
    out.set_use(key.use);
  }
  response.set_max_age_seconds(static_cast<int>(kJwksMaxAge.count()));
  return response;
}

}  // namespace countersign::auth
