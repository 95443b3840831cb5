#include "services/auth/flows/code_sender.h"

#include <utility>

#include "libs/crypto/base64.h"
#include "libs/crypto/digest.h"
#include "libs/crypto/sealed_box.h"
#include "services/auth/events.h"

namespace countersign::auth {
namespace {

constexpr std::size_t kVerificationIdBytes = 16;

}  // namespace

SendBatcher::Work SendWork(const store::SendTerms& terms) {
  return {.statement =
              [terms](pg::Connection& connection, std::span<const store::SendCode> batch) {
                std::vector<pg::Outcome<SendDecision>> outcomes;
                outcomes.reserve(batch.size());
                for (const SendDecision& decision : store::SendCodes(connection, batch, terms))
                  outcomes.emplace_back(Result<SendDecision>(decision));
                return outcomes;
              },
          .lookup =
              [terms](pg::Connection& connection, std::span<const store::SendCode> batch) {
                std::vector<std::optional<Result<SendDecision>>> found(batch.size());
                for (std::size_t i = 0; i < batch.size(); ++i)
                  if (auto decision = store::FindSent(connection, batch[i], terms))
                    found[i] = *decision;
                return found;
              }};
}

Hash HashOfId(const Secret<std::string>& verification_id) {
  return crypto::Sha256(AsBytes(verification_id.Reveal()));
}

void CodeSender::Start(const rpc::CallContext& call, NewVerification start,
                       Answer<StartedVerification> answer) {
  Secret<std::string> id(crypto::Base64UrlEncode(random_.Bytes(kVerificationIdBytes)));
  store::SendCode command{
      .phone_hash = phone_keys_.Current()->material.SignParts({AsBytes(start.phone)}),
      .phone = std::move(start.phone),
      .purpose = start.purpose,
      .subject_id = RandomUuid(random_),
      .event_id = ids_.Next(),
      .id_hash = HashOfId(id),
      .challenge_id = RandomUuid(random_),
      .channel = start.channel,
      .locale = std::move(start.locale),
      .newcomer = std::move(start.newcomer)};
  Submit(call, std::move(command), std::move(id), std::move(answer));
}

void CodeSender::Resend(const rpc::CallContext& call, OpenVerification open,
                        Answer<StartedVerification> answer) {
  store::SendCode command{.phone_hash = open.phone_hash,
                          .phone = std::move(open.phone),
                          .purpose = open.purpose,
                          .is_resend = true,
                          .subject_id = RandomUuid(random_),
                          .event_id = ids_.Next(),
                          .id_hash = HashOfId(open.verification_id),
                          .challenge_id = open.challenge_id,
                          .channel = open.channel,
                          .locale = std::move(open.locale)};
  Submit(call, std::move(command), std::move(open.verification_id), std::move(answer));
}

void CodeSender::Submit(const rpc::CallContext& call, store::SendCode command,
                        Secret<std::string> verification_id, Answer<StartedVerification> answer) {
  command.headers = SendOtpHeaders(call.traceparent());
  command.payload = Payload(command, true);
  // Which of the two is written only the statement knows: asking first would take longer for one
  // kind of number than for the other.
  if (command.purpose == Purpose::kLogin) command.decoy_payload = Payload(command, false);
  std::string key(AsText(command.phone_hash));
  batcher_.Submit(std::move(key), std::move(command), call.deadline,
                  [id = std::move(verification_id),
                   answer = std::move(answer)](const Result<SendDecision>& decision) {
                    if (!decision) return answer(Fail(decision.error()));
                    if (decision->outcome != SendDecision::Outcome::kGranted)
                      return answer(Fail(ToError(*decision)));
                    answer(StartedVerification{.verification_id = id,
                                               .expires_at = decision->expires_at,
                                               .resend_after = decision->resend_after});
                  });
}

std::string CodeSender::Payload(const store::SendCode& command, bool deliver) {
  const auto key = recipient_keys_.Current();
  const std::string sealed =
      crypto::SealToText(key->material, key->id, random_,
                         ToJson(SealedRecipient{.phone_number = command.phone, .deliver = deliver}),
                         RecipientContext(command.event_id));
  return ToJson(SendOtpEvent{.challenge_id = command.challenge_id,
                             .purpose = ToString(command.purpose),
                             .channel = command.channel,
                             .locale = command.locale,
                             .sealed_recipient = sealed});
}

}  // namespace countersign::auth
