#include "services/auth/flows/redeem_code.h"

#include <utility>

#include "libs/core/failpoint.h"
#include "services/auth/domain/fields.h"
#include "services/auth/events.h"
#include "services/auth/flows/code_sender.h"

namespace countersign::auth {

struct RedeemCodeFlow::Attempt {
  const rpc::CallContext& call;  // good until `answer` is called
  Secret<std::string> verification_id;
  Secret<std::string> code;
  std::string device_id;
  Answer<BegunSession> answer;
  store::KnownVerification known{};
  std::vector<std::string> methods{};
  SessionId session_id{};
};

CompletionBatcher::Work CompletionWork(const store::CompletionTerms& terms) {
  using store::Completion;
  using Batch = std::span<const store::CompleteVerification>;
  return {.statement =
              [terms](pg::Connection& connection, Batch batch) {
                std::vector<pg::Outcome<Completion>> outcomes;
                outcomes.reserve(batch.size());
                for (Completion& done : store::CompleteVerifications(connection, batch, terms))
                  outcomes.emplace_back(Result<Completion>(std::move(done)));
                return outcomes;
              },
          .lookup =
              [](pg::Connection& connection, Batch batch) {
                std::vector<std::optional<Result<Completion>>> found(batch.size());
                for (std::size_t i = 0; i < batch.size(); ++i)
                  if (auto done = store::FindCompletion(connection, batch[i]))
                    found[i] = std::move(*done);
                return found;
              }};
}

void RedeemCodeFlow::Run(const rpc::CallContext& call, const RedeemCode& request,
                         Answer<BegunSession> answer) {
  auto id = CheckVerificationId(request.verification_id);
  if (!id) return answer(Fail(std::move(id.error())));
  auto code = CheckCode(request.code);
  if (!code) return answer(Fail(std::move(code.error())));
  auto device = CheckLine("device_id", request.device_id, kMaxDeviceCharacters);
  if (!device) return answer(Fail(std::move(device.error())));

  const Hash hash = HashOfId(*id);
  auto attempt = std::make_shared<Attempt>(Attempt{.call = call,
                                                   .verification_id = std::move(*id),
                                                   .code = std::move(*code),
                                                   .device_id = std::move(*device),
                                                   .answer = std::move(answer)});
  parts_.reader.Submit({}, hash, call.deadline,
                       [this, attempt](Result<std::optional<store::KnownVerification>> read) {
                         if (!read) return attempt->answer(Fail(std::move(read.error())));
                         // An id nobody was given: there is nobody to write an event about.
                         if (!*read) return attempt->answer(Fail(reasons::kCodeRejected));
                         attempt->known = std::move(**read);
                         RunStep(attempt->answer, [&] { Judge(attempt); });
                       });
}

void RedeemCodeFlow::Judge(AttemptPtr attempt) {
  const store::KnownVerification& known = attempt->known;
  if (known.purpose != purpose_) return Complete(std::move(attempt), Refusal::kNotFound);
  if (known.used) return Complete(std::move(attempt), Refusal::kUsed);
  if (known.expired) return Complete(std::move(attempt), Refusal::kExpired);
  const CodeGuess guess{
      .challenge_id = known.challenge_id,
      .purpose = purpose_,
      .code = attempt->code,
      .claim_id = parts_.claim_keys.Current()->material.SignParts(
          {AsBytes(attempt->verification_id.Reveal()), AsBytes(attempt->code.Reveal())})};
  const rpc::CallContext& call = attempt->call;
  parts_.verifier.Verify(call, guess, [this, attempt](const Result<Verdict>& verdict) {
    if (!verdict) return attempt->answer(Fail(verdict.error()));
    Failpoint("auth_after_verdict");
    RunStep(attempt->answer, [&] { Complete(attempt, RefusalOf(*verdict)); });
  });
}

void RedeemCodeFlow::Complete(AttemptPtr attempt, Refusal refusal) {
  attempt->methods = AuthenticationMethods(attempt->known.channel);
  attempt->session_id = SessionId{parts_.ids.Next()};
  std::string key(AsText(attempt->known.phone_hash));
  parts_.batcher.Submit(std::move(key), Command(*attempt, refusal), attempt->call.deadline,
                        [this, attempt](const Result<store::Completion>& completion) {
                          if (!completion) return attempt->answer(Fail(completion.error()));
                          RunStep(attempt->answer, [&] { Finish(attempt, *completion); });
                        });
}

store::CompleteVerification RedeemCodeFlow::Command(const Attempt& attempt, Refusal refusal) const {
  const store::KnownVerification& known = attempt.known;
  store::CompleteVerification command{.id_hash = HashOfId(attempt.verification_id),
                                      .phone_hash = known.phone_hash,
                                      .user_id = std::nullopt,
                                      .purpose = known.purpose,
                                      .refusal = refusal,
                                      .session_id = attempt.session_id,
                                      .client_id = parts_.client_id,
                                      .methods = JoinMethods(attempt.methods),
                                      .failed_event_id = parts_.ids.Next(),
                                      .headers = EventHeaders(attempt.call.traceparent())};
  std::string user_text;
  if (known.holder) {
    command.user_id = known.holder->user_id;
    user_text = ToString(*command.user_id);
  }
  command.failed_payload = ToJson(LoginFailedEvent{
      .user_id = user_text, .challenge_id = known.challenge_id, .step = RedeemingStep(purpose_)});
  if (refusal != Refusal::kNone || !known.holder) return command;

  command.verified_event_id = parts_.ids.Next();
  command.verified_payload = ToJson(UserVerifiedEvent{*command.user_id});
  command.login_event_id = parts_.ids.Next();
  command.login_payload =
      ToJson(LoggedInEvent{.user_id = *command.user_id,
                           .session_id = attempt.session_id,
                           .methods = attempt.methods,
                           .sealed_personal = SealedPersonal(attempt, command.login_event_id)});
  return command;
}

std::string RedeemCodeFlow::SealedPersonal(const Attempt& attempt, const Uuid& event_id) const {
  const store::Holder& holder = *attempt.known.holder;
  const auto key = parts_.persons.Unwrap(
      holder.user_id.value, {.wrapped = holder.person_key, .kek_id = holder.person_key_kek});
  if (!key) return {};  // erased: nothing personal may be written any more
  return parts_.persons.Seal(*key, holder.user_id.value,
                             ToJson(PersonalData{.device_id = attempt.device_id,
                                                 .ip_address = attempt.call.peer_ip,
                                                 .user_agent = attempt.call.user_agent}),
                             PersonalDataContext(event_id));
}

void RedeemCodeFlow::Finish(const AttemptPtr& attempt, const store::Completion& completion) {
  if (completion.refusal != Refusal::kNone)
    return attempt->answer(Fail(ToldToCaller(completion.refusal)));
  const UserId user_id = attempt->known.holder->user_id;
  const AccessGrant grant{.user_id = user_id,
                          .session_id = attempt->session_id,
                          .client_id = parts_.client_id,
                          .methods = attempt->methods,
                          .role = completion.role,
                          .issued_at = completion.began_at,
                          .session_expires_at = completion.expires_at};
  parts_.issuer.Issue(grant, [this, attempt, user_id, idle_end = completion.idle_expires_at](
                                 Result<IssuedAccessToken> token) {
    if (!token) return attempt->answer(Fail(std::move(token.error())));
    RunStep(attempt->answer, [&] {
      attempt->answer(BegunSession{
          .user_id = user_id,
          .tokens = {.access_token = std::move(token->token),
                     .access_expires_at = token->expires_at,
                     .refresh_token = parts_.refresh_tokens.Encode({attempt->session_id, 1}),
                     .refresh_expires_at = idle_end,
                     .session_id = attempt->session_id}});
    });
  });
}

}  // namespace countersign::auth
