#include "tests/services/otp/flows/installation.h"

#include <future>
#include <utility>

#include "libs/crypto/digest.h"
#include "services/otp/events.h"

namespace countersign::otp {
namespace {

constexpr std::chrono::seconds kPatience{20};

Batchers::Terms TermsOf(const pg::ConnectionSettings& database, const RecordingProvider& provider,
                        const InstallationOptions& options) {
  const auto& capabilities = provider.Describe();
  return {.database = database,
          .writers = 2,
          .intent = {.provider = capabilities.name,
                     .max_attempts = options.max_attempts,
                     .expired = events::kExpired},
          .send = {.provider = capabilities.name,
                   .provider_makes_code = capabilities.makes_code,
                   .lease = options.lease,
                   .expired = events::kExpired},
          .guess = {.failures_per_day = options.failures_per_day,
                    .attempts_exceeded = events::kAttemptsExceeded}};
}

}  // namespace

SendIntent NewIntent(Keys& keys, Purpose purpose) {
  static std::atomic<int> last = 0;
  return {.event_id = keys.ids.Next(),
          .challenge_id = {RandomUuid(keys.random)},
          .subject_id = {RandomUuid(keys.random)},
          .purpose = purpose,
          .channel = providers::Channel::kSms,
          .locale = {},
          .send_number = 1,
          .expires_at = keys.clock.Now() + std::chrono::minutes(5),
          .recipient = Recipient{.phone_number = Secret<std::string>(
                                     "+49151" + std::to_string(20'000'000 + ++last))},
          .trace = NewTrace(keys.random),
          .given_away = nullptr};
}

SendIntent Resend(Keys& keys, const SendIntent& first) {
  SendIntent resend = first;
  resend.event_id = keys.ids.Next();
  ++resend.send_number;
  resend.expires_at = keys.clock.Now() + std::chrono::minutes(5);
  return resend;
}

std::string PhoneOf(const SendIntent& intent) { return intent.recipient->phone_number.Reveal(); }

Installation::Installation(const pg::ConnectionSettings& database, Keys& keys,
                           RecordingProvider& provider, const InstallationOptions& options)
    : batchers_(TermsOf(database, provider, options), registry_),
      deliver_({.in_flight = options.in_flight, .code_length = 6}, {.intents = batchers_.intents,
                                                                    .begins = batchers_.begins,
                                                                    .finishes = batchers_.finishes,
                                                                    .code_keys = keys.code,
                                                                    .provider = provider,
                                                                    .ids = keys.ids,
                                                                    .random = keys.random,
                                                                    .timer = timer_,
                                                                    .observer = observer_,
                                                                    .logger = logger_}),
      verify_({.guesses = batchers_.guesses,
               .verdicts = batchers_.verdicts,
               .code_keys = keys.code,
               .provider = provider,
               .ids = keys.ids,
               .timer = timer_,
               .observer = observer_}),
      give_up_overdue_(database, {.begins = batchers_.begins,
                                  .finishes = batchers_.finishes,
                                  .ids = keys.ids,
                                  .observer = observer_,
                                  .logger = logger_}) {}

Installation::~Installation() {
  static_cast<void>(deliver_.Stop(std::chrono::steady_clock::now()));
  timer_.Stop();
  batchers_.Stop();
}

std::optional<DeliverCodeFlow::Taken> Installation::Deliver(const SendIntent& intent,
                                                            std::chrono::milliseconds limit) {
  auto promise = std::make_shared<std::promise<DeliverCodeFlow::Taken>>();
  auto future = promise->get_future();
  deliver_.Run(intent, [promise](DeliverCodeFlow::Taken taken) { promise->set_value(taken); });
  if (future.wait_for(limit) != std::future_status::ready) return std::nullopt;
  return future.get();
}

void Installation::Begin(const SendIntent& intent) {
  deliver_.Run(intent, [this](DeliverCodeFlow::Taken) { ++finished_; });
}

Guess Installation::ToGuess(const SendIntent& of, const std::string& code,
                            std::optional<Hash> claim) {
  return {
      .challenge_id = of.challenge_id,
      .purpose = of.purpose,
      .code = Secret<std::string>(code),
      .claim_id = claim.value_or(crypto::Sha256(AsBytes(ToString(of.challenge_id) + "/" + code))),
      .context_digest = {}};
}

Result<Judgement> Installation::Verify(const SendIntent& of, const std::string& code,
                                       std::optional<Hash> claim) {
  return Verify(ToGuess(of, code, claim));
}

Result<Judgement> Installation::Verify(Guess guess) {
  const rpc::CallContext call{.deadline = std::chrono::steady_clock::now() + kPatience};
  // Shared: the thread that keeps it may still be in set_value when this one goes on.
  auto promise = std::make_shared<std::promise<Result<Judgement>>>();
  auto future = promise->get_future();
  verify_.Run(call, std::move(guess),
              [promise](const Result<Judgement>& judgement) { promise->set_value(judgement); });
  return future.get();
}

}  // namespace countersign::otp
