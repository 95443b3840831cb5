#pragma once
#include <string>

#include "libs/core/clock.h"
#include "libs/core/random.h"
#include "libs/core/uuid.h"
#include "libs/keystore/person_keys.h"
#include "libs/outbox/log_keeper.h"
#include "libs/process/process.h"
#include "libs/rpc/guard.h"
#include "libs/rpc/server.h"
#include "services/auth/batchers.h"
#include "services/auth/clients/otp_client.h"
#include "services/auth/config.h"
#include "services/auth/key_rings.h"
#include "services/auth/rpc/auth_service.h"

namespace countersign::auth {

// The process: members in start order, destruction is the stop order.
class App {
 public:
  // Throws config::Fault for what only an operator can mend. A database or an otp service that is
  // away is no reason not to serve: calls are refused until it is back.
  App(const Config& config, process::Process& process);
  // Stops at once what was not stopped in order.
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Where AuthService listens: "127.0.0.1:50051".
  [[nodiscard]] const std::string& address() const { return server_.address(); }

 private:
  [[nodiscard]] RedeemCodeFlow::Parts RedeemParts(const Config& config);
  void Stop(Deadline deadline);

  SystemClock clock_;
  SystemRandom random_;
  UuidV7 ids_;
  KeyRings keys_;
  keystore::PersonKeys persons_;
  SigningKeys signing_keys_;
  LocalIssuer issuer_;
  TokenVerifier verifier_;
  RefreshTokenCodec refresh_tokens_;

  Batchers batchers_;
  outbox::LogKeeper log_keeper_;
  OtpClient otp_;

  CodeSender sender_;
  SignupWithPhoneFlow signup_;
  LoginWithPhoneFlow login_;
  ResendCodeFlow resend_;
  RedeemCodeFlow verify_signup_;
  RedeemCodeFlow validate_login_;
  GetProfileFlow profile_;
  RefreshTokenFlow refresh_;
  LogoutFlow logout_;
  IntrospectTokenFlow introspect_;

  rpc::Guard guard_;
  AuthService service_;
  rpc::Server server_;
};

}  // namespace countersign::auth
