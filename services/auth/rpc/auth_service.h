#pragma once
// AuthService of api/countersign/auth/v1: who may call, convert, run the flow, convert.
#include "libs/rpc/service.h"
#include "services/auth/flows/get_profile.h"
#include "services/auth/flows/introspect_token.h"
#include "services/auth/flows/login_with_phone.h"
#include "services/auth/flows/logout.h"
#include "services/auth/flows/redeem_code.h"
#include "services/auth/flows/refresh_token.h"
#include "services/auth/flows/resend_code.h"
#include "services/auth/flows/signup_with_phone.h"
#include "services/auth/tokens/signing_keys.h"

namespace countersign::auth {

class AuthService {
 public:
  struct Parts {
    SignupWithPhoneFlow& signup;
    LoginWithPhoneFlow& login;
    ResendCodeFlow& resend;
    RedeemCodeFlow& verify_signup;
    RedeemCodeFlow& validate_login;
    GetProfileFlow& profile;
    RefreshTokenFlow& refresh;
    LogoutFlow& logout;
    IntrospectTokenFlow& introspect;
    SigningKeys& signing_keys;
  };
  // All must outlive it and the calls in flight.
  AuthService(rpc::Guard& guard, Parts parts);

  // For rpc::Server.
  [[nodiscard]] rpc::Service& service() { return service_; }

 private:
  void AddVerifications();
  void AddSessions();
  void AddTokens();

  rpc::Service service_;
  const Parts parts_;
};

}  // namespace countersign::auth
