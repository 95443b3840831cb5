#include "services/auth/rpc/auth_service.h"

#include <string>
#include <utility>

#include "countersign/auth/v1/auth.pb.h"
#include "services/auth/rpc/convert.h"

namespace countersign::auth {
namespace {

using rpc::Access;
using rpc::CallContext;
using rpc::Done;

// What a flow answers, as the response that `convert` makes of it.
template <typename Value, typename Response>
Answer<Value> Through(Response (*convert)(const Value&), Done<Response> done) {
  return [convert, done = std::move(done)](const Result<Value>& result) {
    if (!result) return done(Fail(result.error()));
    done(convert(*result));
  };
}

}  // namespace

AuthService::AuthService(rpc::Guard& guard, Parts parts)
    : service_(guard, "countersign.auth.v1.AuthService"), parts_(parts) {
  AddVerifications();
  AddSessions();
  AddTokens();
}

void AuthService::AddVerifications() {
  service_.Unary<v1::SignupWithPhoneNumberRequest, v1::SignupWithPhoneNumberResponse>(
      "SignupWithPhoneNumber", Access::Anyone(),
      [this](const CallContext& call, const v1::SignupWithPhoneNumberRequest& request,
             Done<v1::SignupWithPhoneNumberResponse> done) {
        const auto signup = Read(request);
        if (!signup) return done(Fail(signup.error()));
        parts_.signup.Run(call, *signup,
                          Through(ToStarted<v1::SignupWithPhoneNumberResponse>, std::move(done)));
      });
  service_.Unary<v1::LoginWithPhoneNumberRequest, v1::LoginWithPhoneNumberResponse>(
      "LoginWithPhoneNumber", Access::Anyone(),
      [this](const CallContext& call, const v1::LoginWithPhoneNumberRequest& request,
             Done<v1::LoginWithPhoneNumberResponse> done) {
        const auto login = Read(request);
        if (!login) return done(Fail(login.error()));
        parts_.login.Run(call, *login,
                         Through(ToStarted<v1::LoginWithPhoneNumberResponse>, std::move(done)));
      });
  service_.Unary<v1::ResendCodeRequest, v1::ResendCodeResponse>(
      "ResendCode", Access::Anyone(),
      [this](const CallContext& call, const v1::ResendCodeRequest& request,
             Done<v1::ResendCodeResponse> done) {
        const auto resend = Read(request);
        if (!resend) return done(Fail(resend.error()));
        parts_.resend.Run(call, *resend,
                          Through(ToStarted<v1::ResendCodeResponse>, std::move(done)));
      });
}

void AuthService::AddSessions() {
  service_.Unary<v1::VerifyPhoneNumberRequest, v1::VerifyPhoneNumberResponse>(
      "VerifyPhoneNumber", Access::Anyone(),
      [this](const CallContext& call, const v1::VerifyPhoneNumberRequest& request,
             Done<v1::VerifyPhoneNumberResponse> done) {
        parts_.verify_signup.Run(call, Read(request),
                                 Through(ToBegun<v1::VerifyPhoneNumberResponse>, std::move(done)));
      });
  service_.Unary<v1::ValidatePhoneNumberLoginRequest, v1::ValidatePhoneNumberLoginResponse>(
      "ValidatePhoneNumberLogin", Access::Anyone(),
      [this](const CallContext& call, const v1::ValidatePhoneNumberLoginRequest& request,
             Done<v1::ValidatePhoneNumberLoginResponse> done) {
        parts_.validate_login.Run(
            call, Read(request),
            Through(ToBegun<v1::ValidatePhoneNumberLoginResponse>, std::move(done)));
      });
  service_.Unary<v1::RefreshTokenRequest, v1::RefreshTokenResponse>(
      "RefreshToken", Access::Anyone(),
      [this](const CallContext& call, const v1::RefreshTokenRequest& request,
             Done<v1::RefreshTokenResponse> done) {
        parts_.refresh.Run(call, request.refresh_token(), Through(ToRefreshed, std::move(done)));
      });
  // Anyone: the refresh token may be all the caller has left.
  service_.Unary<v1::LogoutRequest, v1::LogoutResponse>(
      "Logout", Access::Anyone(),
      [this](const CallContext& call, const v1::LogoutRequest& request,
             Done<v1::LogoutResponse> done) {
        parts_.logout.Run(call, request.refresh_token(),
                          [done = std::move(done)](const Result<void>& ended) {
                            if (!ended) return done(Fail(ended.error()));
                            done(v1::LogoutResponse());
                          });
      });
}

void AuthService::AddTokens() {
  service_.Unary<v1::GetProfileRequest, v1::GetProfileResponse>(
      "GetProfile", Access::Bearer(),
      [this](const CallContext& call, const v1::GetProfileRequest& request,
             Done<v1::GetProfileResponse> done) {
        parts_.profile.Run(call, request.user_id(), Through(ToProfile, std::move(done)));
      });
  service_.Unary<v1::IntrospectTokenRequest, v1::IntrospectTokenResponse>(
      "IntrospectToken", Access::Anyone(),
      [this](const CallContext& call, const v1::IntrospectTokenRequest& request,
             Done<v1::IntrospectTokenResponse> done) {
        parts_.introspect.Run(call, request.token(), Through(ToIntrospected, std::move(done)));
      });
  service_.Unary<v1::GetJwksRequest, v1::GetJwksResponse>(
      "GetJwks", Access::Anyone(),
      [this](const CallContext& /*call*/, const v1::GetJwksRequest& /*request*/,
             const Done<v1::GetJwksResponse>& done) {
        done(ToJwks(parts_.signing_keys.Public()));
      });
}

}  // namespace countersign::auth
