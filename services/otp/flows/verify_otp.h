#pragma once
#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "libs/core/continuation.h"
#include "libs/core/secret.h"
#include "libs/core/uuid.h"
#include "libs/keystore/key_ring.h"
#include "libs/pg/batcher.h"
#include "libs/rpc/call_context.h"
#include "services/otp/domain/challenge.h"
#include "services/otp/flows/timer.h"
#include "services/otp/observer.h"
#include "services/otp/providers/provider.h"
#include "services/otp/store/guesses.h"

namespace countersign::otp {

// Both keyed by challenge.
using GuessBatcher = pg::Batcher<store::CountGuess, store::CountedGuess>;
using VerdictBatcher = pg::Batcher<store::RecordVerdict, Judgement>;

// Their statements and look-ups.
[[nodiscard]] GuessBatcher::Work GuessWork(const store::GuessTerms& terms);
[[nodiscard]] VerdictBatcher::Work VerdictWork(const store::VerdictTerms& terms);

struct Guess {
  ChallengeId challenge_id;
  Purpose purpose;
  Secret<std::string> code;
  Hash claim_id;
  Bytes context_digest;  // empty for none
};

// VerifyOtp (ADR 0008): the guess is counted and committed, then compared, here or by the provider
// that made the code; a right one is then approved, if it is the first. Whatever goes wrong after
// the count costs the guesser nothing more: the same claim is not counted again. Thread safe.
class VerifyOtpFlow {
 public:
  struct Parts {
    GuessBatcher& guesses;
    VerdictBatcher& verdicts;
    keystore::MacRing& code_keys;
    providers::Provider& provider;
    UuidV7& ids;
    Timer& timer;
    Observer& observer;
  };
  explicit VerifyOtpFlow(Parts parts) : parts_(parts) {}

  // Refuses as the batcher may, and with OUTCOME_UNKNOWN or DEPENDENCY_UNAVAILABLE if the provider
  // did not answer. `call` is used until then.
  void Run(const rpc::CallContext& call, Guess guess, Answer<Judgement> answer);

 private:
  struct Attempt;
  using AttemptPtr = std::shared_ptr<Attempt>;  // owned by whichever step is under way

  void Judge(const AttemptPtr& attempt);
  void Compare(const AttemptPtr& attempt);
  void AskProvider(const AttemptPtr& attempt);
  void Record(const AttemptPtr& attempt, store::RecordVerdict::Found found);
  void Conclude(const AttemptPtr& attempt, const Judgement& judgement);

  const Parts parts_;
  // How long the provider took to check a code, the last time.
  std::atomic<std::chrono::milliseconds> last_check_{std::chrono::milliseconds(200)};
};

}  // namespace countersign::otp
