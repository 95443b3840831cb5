#pragma once
// Between the contract's messages and what the flows take and give. What is taken points into the
// message.
#include <optional>
#include <vector>

#include "countersign/auth/v1/auth.pb.h"
#include "libs/core/result.h"
#include "libs/jose/jwk.h"
#include "services/auth/domain/account.h"
#include "services/auth/domain/session_tokens.h"
#include "services/auth/domain/verification.h"
#include "services/auth/flows/introspect_token.h"
#include "services/auth/flows/login_with_phone.h"
#include "services/auth/flows/redeem_code.h"
#include "services/auth/flows/resend_code.h"
#include "services/auth/flows/signup_with_phone.h"

namespace countersign::auth {

// The three refuse only a channel that the contract does not have: CHANNEL_UNSUPPORTED.
[[nodiscard]] Result<SignupWithPhone> Read(const v1::SignupWithPhoneNumberRequest& request);
[[nodiscard]] Result<LoginWithPhone> Read(const v1::LoginWithPhoneNumberRequest& request);
[[nodiscard]] Result<ResendCode> Read(const v1::ResendCodeRequest& request);
[[nodiscard]] RedeemCode Read(const v1::VerifyPhoneNumberRequest& request);
[[nodiscard]] RedeemCode Read(const v1::ValidatePhoneNumberLoginRequest& request);

// Fills a SignupWithPhoneNumberResponse, LoginWithPhoneNumberResponse or ResendCodeResponse.
template <typename Response>
[[nodiscard]] Response ToStarted(const StartedVerification& started);
// Fills a VerifyPhoneNumberResponse or ValidatePhoneNumberLoginResponse.
template <typename Response>
[[nodiscard]] Response ToBegun(const BegunSession& begun);
[[nodiscard]] v1::RefreshTokenResponse ToRefreshed(const SessionTokens& tokens);
[[nodiscard]] v1::GetProfileResponse ToProfile(const Profile& profile);
[[nodiscard]] v1::IntrospectTokenResponse ToIntrospected(
    const std::optional<IntrospectedToken>& token);
[[nodiscard]] v1::GetJwksResponse ToJwks(const std::vector<jose::Jwk>& keys);

void Write(const StartedVerification& started, v1::Verification& out);
void Write(const SessionTokens& tokens, v1::Tokens& out);

template <typename Response>
Response ToStarted(const StartedVerification& started) {
  Response response;
  Write(started, *response.mutable_verification());
  return response;
}

template <typename Response>
Response ToBegun(const BegunSession& begun) {
  Response response;
  response.set_user_id(ToString(begun.user_id));
  Write(begun.tokens, *response.mutable_tokens());
  return response;
}

}  // namespace countersign::auth
