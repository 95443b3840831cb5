#include "services/otp/flows/verify_otp.h"

#include <utility>

#include "libs/core/failpoint.h"
#include "services/otp/events.h"
#include "services/otp/flows/code_hmac.h"

namespace countersign::otp {
namespace {

using Found = store::RecordVerdict::Found;

// What the provider said is recorded even if the caller has gone.
constexpr std::chrono::seconds kRecordLimit{5};

template <typename Answered, typename Statement>
auto Outcomes(const Statement& statement) {
  std::vector<pg::Outcome<Answered>> outcomes;
  for (auto& answer : statement()) outcomes.emplace_back(Result<Answered>(std::move(answer)));
  return outcomes;
}

template <typename Answered, typename Statement>
auto Repeated(const Statement& statement) {
  std::vector<std::optional<Result<Answered>>> found;
  for (auto& answer : statement()) found.emplace_back(std::move(answer));
  return found;
}

std::string KeyOf(const ChallengeId& challenge) {
  return std::string(AsText(challenge.value.bytes));
}

}  // namespace

struct VerifyOtpFlow::Attempt {
  Guess guess;
  Deadline deadline;
  std::string traceparent;
  Answer<Judgement> answer;
  store::CountedGuess counted{};
};

GuessBatcher::Work GuessWork(const store::GuessTerms& terms) {
  using Batch = std::span<const store::CountGuess>;
  return {.statement =
              [terms](pg::Connection& connection, Batch batch) {
                return Outcomes<store::CountedGuess>(
                    [&] { return store::CountGuesses(connection, batch, terms); });
              },
          // Counting a claim twice is counting it once.
          .lookup =
              [terms](pg::Connection& connection, Batch batch) {
                return Repeated<store::CountedGuess>(
                    [&] { return store::CountGuesses(connection, batch, terms); });
              }};
}

VerdictBatcher::Work VerdictWork(const store::VerdictTerms& terms) {
  using Batch = std::span<const store::RecordVerdict>;
  return {.statement =
              [terms](pg::Connection& connection, Batch batch) {
                return Outcomes<Judgement>(
                    [&] { return store::RecordVerdicts(connection, batch, terms); });
              },
          .lookup =
              [terms](pg::Connection& connection, Batch batch) {
                return Repeated<Judgement>(
                    [&] { return store::RecordVerdicts(connection, batch, terms); });
              }};
}

void VerifyOtpFlow::Run(const rpc::CallContext& call, Guess guess, Answer<Judgement> answer) {
  auto attempt = std::make_shared<Attempt>(Attempt{.guess = std::move(guess),
                                                   .deadline = call.deadline,
                                                   .traceparent = call.traceparent(),
                                                   .answer = std::move(answer)});
  const Guess& made = attempt->guess;
  store::CountGuess command{
      .challenge_id = made.challenge_id,
      .purpose = made.purpose,
      .context_digest = made.context_digest,
      .claim_id = made.claim_id,
      .log_event_id = parts_.ids.Next(),
      .payload = ToJson(CheckedEvent{.challenge_id = made.challenge_id, .purpose = made.purpose}),
      .headers = EventHeaders(attempt->traceparent)};
  parts_.guesses.Submit(KeyOf(made.challenge_id), std::move(command), attempt->deadline,
                        [this, attempt](Result<store::CountedGuess> counted) {
                          if (!counted) return attempt->answer(Fail(std::move(counted.error())));
                          Failpoint("otp_after_count");
                          attempt->counted = std::move(*counted);
                          RunStep(attempt->answer, [&] { Judge(attempt); });
                        });
}

void VerifyOtpFlow::Judge(const AttemptPtr& attempt) {
  const store::CountedGuess& counted = attempt->counted;
  if (const auto verdict = VerdictOf(counted.standing)) {
    return Conclude(attempt, {.verdict = *verdict, .attempts_left = counted.attempts_left});
  }
  if (!counted.code_hmac) return AskProvider(attempt);
  if (!parts_.provider.Describe().makes_code) return Compare(attempt);
  // A decoy, since the provider knows all other codes: it takes as long to say no.
  parts_.timer.After(last_check_.load(),
                     [this, attempt] { RunStep(attempt->answer, [&] { Compare(attempt); }); });
}

void VerifyOtpFlow::Compare(const AttemptPtr& attempt) {
  const store::CountedGuess& counted = attempt->counted;
  const auto key = parts_.code_keys.Find(counted.code_key_id);
  if (!key) {
    return attempt->answer(Fail(reasons::kInternal, {.detail = "the key of a live code is gone"}));
  }
  const Guess& guess = attempt->guess;
  const Hash hmac = HmacOfCode(key->material, key->id,
                               {.purpose = guess.purpose,
                                .subject_id = counted.subject_id,
                                .challenge_id = guess.challenge_id,
                                .generation = counted.generation},
                               guess.code);
  if (crypto::ConstantTimeEqual(hmac, *counted.code_hmac)) return Record(attempt, Found::kRight);
  // Only of the last guess is there something to tell.
  if (counted.attempts_left == 0) return Record(attempt, Found::kWrong);
  Conclude(attempt, {.verdict = Verdict::kWrong, .attempts_left = counted.attempts_left});
}

void VerifyOtpFlow::AskProvider(const AttemptPtr& attempt) {
  const store::CountedGuess& counted = attempt->counted;
  providers::CheckOrder order{.provider_sid = counted.provider_sid,
                              .purpose = std::string(ToString(attempt->guess.purpose)),
                              .code = attempt->guess.code,
                              .answer_was_lost = counted.only_open_claim,
                              .traceparent = attempt->traceparent};
  const auto began = std::chrono::steady_clock::now();
  parts_.provider.Check(
      std::move(order), attempt->deadline,
      [this, attempt, began](const providers::CheckOutcome& outcome) {
        const auto took = std::chrono::steady_clock::now() - began;
        parts_.observer.CheckAnswered(took);
        last_check_ = std::chrono::duration_cast<std::chrono::milliseconds>(took);
        RunStep(attempt->answer, [&] {
          switch (outcome.status) {
            case providers::CheckStatus::kApproved:
              return Record(attempt, Found::kRight);
            case providers::CheckStatus::kWrong:
              return Record(attempt, Found::kWrong);
            case providers::CheckStatus::kGone:
              return Record(attempt, Found::kGone);
            // The claim stays open and may ask again without being counted.
            case providers::CheckStatus::kNotAsked:
              return attempt->answer(
                  Fail(reasons::kDependencyUnavailable,
                       {.detail = outcome.detail, .retry_after = outcome.retry_after}));
            case providers::CheckStatus::kUnknown:
              break;
          }
          attempt->answer(Fail(reasons::kOutcomeUnknown, {.detail = outcome.detail}));
        });
      });
}

void VerifyOtpFlow::Record(const AttemptPtr& attempt, Found found) {
  const Guess& guess = attempt->guess;
  store::RecordVerdict command{
      .challenge_id = guess.challenge_id,
      .claim_id = guess.claim_id,
      .generation = attempt->counted.generation,
      .found = found,
      .log_event_id = parts_.ids.Next(),
      .payload = ToJson(CheckedEvent{.challenge_id = guess.challenge_id, .purpose = guess.purpose}),
      .headers = EventHeaders(attempt->traceparent)};
  const Deadline deadline = std::chrono::steady_clock::now() + kRecordLimit;
  parts_.verdicts.Submit(KeyOf(guess.challenge_id), std::move(command), deadline,
                         [this, attempt](Result<Judgement> judgement) {
                           if (!judgement)
                             return attempt->answer(Fail(std::move(judgement.error())));
                           Conclude(attempt, *judgement);
                         });
}

void VerifyOtpFlow::Conclude(const AttemptPtr& attempt, const Judgement& judgement) {
  parts_.observer.Judged(judgement.verdict);
  attempt->answer(judgement);
}

}  // namespace countersign::otp
