#pragma once
// The sign-in flows composed as in one auth process, without its edges: every call waits for its
// answer. Several of them on one database are replicas.
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "services/auth/flows/code_sender.h"
#include "services/auth/flows/get_profile.h"
#include "services/auth/flows/introspect_token.h"
#include "services/auth/flows/login_with_phone.h"
#include "services/auth/flows/logout.h"
#include "services/auth/flows/redeem_code.h"
#include "services/auth/flows/refresh_token.h"
#include "services/auth/flows/resend_code.h"
#include "services/auth/flows/signup_with_phone.h"
#include "tests/services/auth/flows/scripted_verifier.h"
#include "tests/support/keys/keys.h"

namespace countersign::auth {

struct InstallationOptions {
  SendLimit limit{};
  SessionTerms session{};
  std::chrono::seconds code_life{std::chrono::minutes(5)};
  std::chrono::seconds patience{20};  // deadline of a call
  std::size_t writers = 2;            // connections of each batcher that writes
};

// The key rings of an installation, made for the test; replicas share them.
struct Keys {
  SystemClock clock;
  SystemRandom random;
  test::KeyFolder folder{clock};
  keystore::MacRing phone{folder.Ring(keystore::kPhoneRing), keystore::CurrentKey::kGreatestId,
                          clock};
  keystore::MacRing claim{folder.Ring(keystore::kClaimRing), keystore::CurrentKey::kGreatestId,
                          clock};
  keystore::MacRing refresh{folder.Ring(keystore::kRefreshRing), keystore::CurrentKey::kGreatestId,
                            clock};
  keystore::SealingRing recipient{folder.Ring(keystore::kRecipientRing),
                                  keystore::CurrentKey::kOfTheDay, clock};
  keystore::SealingRing person{folder.Ring(keystore::kPersonRing),
                               keystore::CurrentKey::kGreatestId, clock};
  keystore::SigningRing signing{folder.Ring(keystore::kSigningRing),
                                keystore::CurrentKey::kGreatestId, clock};
  UuidV7 ids{clock, random};
  keystore::PersonKeys persons{person, random};
  SigningKeys signing_keys{signing};
};

// Thread safe.
class Installation {
 public:
  static constexpr int kConnections = 4 * 2 + 3;  // while nothing had to be retried

  Installation(pg::ConnectionSettings settings, Keys& keys, CodeVerifier& verifier,
               InstallationOptions options = {});
  ~Installation();
  Installation(const Installation&) = delete;
  Installation& operator=(const Installation&) = delete;

  Result<StartedVerification> SignUp(const SignupWithPhone& request);
  Result<StartedVerification> LogIn(std::string_view phone);
  Result<StartedVerification> Resend(std::string_view verification_id);
  Result<BegunSession> Verify(std::string_view verification_id, std::string_view code);
  Result<BegunSession> ValidateLogIn(std::string_view verification_id, std::string_view code);
  Result<SessionTokens> Refresh(std::string_view refresh_token);
  Result<void> LogOut(std::string_view refresh_token);
  Result<void> LogOutBearer(std::string_view access_token);
  Result<std::optional<IntrospectedToken>> Introspect(std::string_view token);
  Result<Profile> GetProfile(std::string_view access_token, std::string_view user_id = {});

  // Begins to redeem and does not wait: for calls whose answer never comes. `call` is the caller's
  // to keep.
  void BeginValidatingLogIn(const rpc::CallContext& call, std::string_view verification_id,
                            std::string_view code, Answer<BegunSession> answer);

  // Statements that failed as a whole, whatever became of their commands afterwards.
  [[nodiscard]] int failed_statements() const { return failed_statements_; }
  [[nodiscard]] rpc::CallContext NewCall(std::string_view bearer = {}) const;

 private:
  template <typename T, typename Start>
  Result<T> Await(std::string_view bearer, const Start& start);
  [[nodiscard]] pg::BatcherOptions Writes();
  [[nodiscard]] static pg::BatcherOptions Reads();

  const InstallationOptions options_;
  std::atomic<int> failed_statements_ = 0;
  LocalIssuer issuer_;
  TokenVerifier tokens_;
  RefreshTokenCodec refresh_tokens_;

  SendBatcher sends_;
  CompletionBatcher completions_;
  RefreshBatcher refreshes_;
  LogoutBatcher logouts_;
  VerificationReader verifications_;
  SessionReader sessions_;
  ProfileReader profiles_;

  CodeSender sender_;
  SignupWithPhoneFlow signup_;
  LoginWithPhoneFlow login_;
  ResendCodeFlow resend_;
  RedeemCodeFlow verify_;
  RedeemCodeFlow validate_login_;
  RefreshTokenFlow refresh_;
  LogoutFlow logout_;
  IntrospectTokenFlow introspect_;
  GetProfileFlow get_profile_;
};

}  // namespace countersign::auth
