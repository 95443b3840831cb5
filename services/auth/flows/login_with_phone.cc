#include "services/auth/flows/login_with_phone.h"

#include <utility>

#include "services/auth/domain/fields.h"
#include "services/auth/domain/phone_number.h"

namespace countersign::auth {

void LoginWithPhoneFlow::Run(const rpc::CallContext& call, const LoginWithPhone& request,
                             Answer<StartedVerification> answer) {
  auto phone = ParsePhoneNumber(request.phone_number);
  if (!phone) return answer(Fail(std::move(phone.error())));
  auto locale = CheckLocale(request.locale);
  if (!locale) return answer(Fail(std::move(locale.error())));
  const auto channel = Choose(channels_, request.channel);
  if (!channel) return answer(Fail(channel.error()));
  sender_.Start(call,
                {.phone = std::move(phone->e164),
                 .purpose = Purpose::kLogin,
                 .channel = *channel,
                 .locale = std::move(*locale),
                 .newcomer = std::nullopt},
                std::move(answer));
}

}  // namespace countersign::auth
