#include "services/auth/flows/resend_code.h"

#include <utility>

#include "services/auth/domain/fields.h"

namespace countersign::auth {

void ResendCodeFlow::Run(const rpc::CallContext& call, const ResendCode& request,
                         Answer<StartedVerification> answer) {
  auto id = CheckVerificationId(request.verification_id);
  if (!id) return answer(Fail(std::move(id.error())));
  if (request.channel) {
    if (const auto channel = Choose(channels_, request.channel); !channel)
      return answer(Fail(channel.error()));
  }
  const Hash hash = HashOfId(*id);
  reader_.Submit(
      {}, hash, call.deadline,
      [this, &call, id = std::move(*id), channel = request.channel,
       answer = std::move(answer)](Result<std::optional<store::KnownVerification>> read) {
        if (!read) return answer(Fail(std::move(read.error())));
        if (!*read || (*read)->used || (*read)->expired)
          return answer(Fail(reasons::kCodeRejected));
        store::KnownVerification& known = **read;
        RunStep(answer, [&] {
          sender_.Resend(call,
                         {.verification_id = id,
                          .phone = std::move(known.phone),
                          .phone_hash = known.phone_hash,
                          .challenge_id = known.challenge_id,
                          .purpose = known.purpose,
                          .channel = channel.value_or(known.channel),
                          .locale = std::move(known.locale)},
                         answer);
        });
      });
}

}  // namespace countersign::auth
