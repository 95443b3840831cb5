#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "libs/core/continuation.h"
#include "libs/core/random.h"
#include "libs/core/uuid.h"
#include "libs/keystore/key_ring.h"
#include "libs/keystore/person_keys.h"
#include "libs/pg/batcher.h"
#include "libs/rpc/call_context.h"
#include "services/auth/domain/session_tokens.h"
#include "services/auth/flows/code_verifier.h"
#include "services/auth/flows/verification_reader.h"
#include "services/auth/store/verifications.h"
#include "services/auth/tokens/access_token_issuer.h"
#include "services/auth/tokens/refresh_token.h"

namespace countersign::auth {

using CompletionBatcher = pg::Batcher<store::CompleteVerification, store::Completion>;

// The statement and look-up of a CompletionBatcher.
[[nodiscard]] CompletionBatcher::Work CompletionWork(const store::CompletionTerms& terms);

// As it came in, unchecked.
struct RedeemCode {
  std::string_view verification_id{};
  std::string_view code{};
  std::string_view device_id{};
};

// VerifyPhoneNumber (purpose sign-up) and ValidatePhoneNumberLogin (purpose log-in): read the
// verification, have otp judge the code, then use the verification up and begin a session in one
// statement, or remember the failure. Everything that is not a right code is CODE_REJECTED; the
// account's state is told only after one. If the process dies after otp's verdict, the same code is
// judged alike again (claim id) and is redeemed then. Thread safe.
class RedeemCodeFlow {
 public:
  struct Parts {
    VerificationReader& reader;
    CodeVerifier& verifier;
    CompletionBatcher& batcher;
    AccessTokenIssuer& issuer;
    RefreshTokenCodec& refresh_tokens;
    keystore::MacRing& claim_keys;
    keystore::PersonKeys& persons;
    UuidV7& ids;
    std::string client_id;  // claim client_id of the sessions begun here
  };
  RedeemCodeFlow(Purpose purpose, Parts parts) : purpose_(purpose), parts_(std::move(parts)) {}

  void Run(const rpc::CallContext& call, const RedeemCode& request, Answer<BegunSession> answer);

 private:
  struct Attempt;
  using AttemptPtr = std::shared_ptr<Attempt>;  // owned by whichever step is under way

  void Judge(AttemptPtr attempt);
  void Complete(AttemptPtr attempt, Refusal refusal);
  [[nodiscard]] store::CompleteVerification Command(const Attempt& attempt, Refusal refusal) const;
  [[nodiscard]] std::string SealedPersonal(const Attempt& attempt, const Uuid& event_id) const;
  void Finish(const AttemptPtr& attempt, const store::Completion& completion);

  const Purpose purpose_;
  const Parts parts_;
};

}  // namespace countersign::auth
