#include "services/auth/flows/signup_with_phone.h"

#include <utility>

#include "services/auth/domain/fields.h"
#include "services/auth/domain/phone_number.h"
#include "services/auth/events.h"

namespace countersign::auth {
namespace {

struct CheckedSignup {
  PhoneNumber phone;
  PersonName name;
  std::string email;
  std::string country;
  std::string salutation;
  std::string locale;
  std::string device_id;
  Channel channel;
};

Result<CheckedSignup> Check(const SignupWithPhone& request, const ChannelOffer& channels) {
  CheckedSignup checked;
  auto phone = ParsePhoneNumber(request.phone_number);
  if (!phone) return Fail(std::move(phone.error()));
  auto name = CheckName(
      {.name = request.name, .first_name = request.first_name, .last_name = request.last_name});
  if (!name) return Fail(std::move(name.error()));
  auto email = CheckEmail(request.email);
  if (!email) return Fail(std::move(email.error()));
  auto country = CheckCountry(request.country, phone->region);
  if (!country) return Fail(std::move(country.error()));
  auto salutation = CheckLine("salutation", request.salutation, kMaxSalutationCharacters);
  if (!salutation) return Fail(std::move(salutation.error()));
  auto locale = CheckLocale(request.locale);
  if (!locale) return Fail(std::move(locale.error()));
  auto device = CheckLine("device_id", request.device_id, kMaxDeviceCharacters);
  if (!device) return Fail(std::move(device.error()));
  auto channel = Choose(channels, request.channel);
  if (!channel) return Fail(std::move(channel.error()));
  return CheckedSignup{
      std::move(*phone),      std::move(*name),   std::move(*email),  std::move(*country),
      std::move(*salutation), std::move(*locale), std::move(*device), *channel};
}

}  // namespace

void SignupWithPhoneFlow::Run(const rpc::CallContext& call, const SignupWithPhone& request,
                              Answer<StartedVerification> answer) {
  auto signup = Check(request, channels_);
  if (!signup) return answer(Fail(std::move(signup.error())));

  const UserId user_id{ids_.Next()};
  const Uuid event_id = ids_.Next();
  keystore::MadePersonKey made = persons_.Make(user_id.value);
  const std::string sealed = persons_.Seal(made.key, user_id.value,
                                           ToJson(PersonalData{.phone_number = signup->phone.e164,
                                                               .first_name = signup->name.first,
                                                               .last_name = signup->name.last,
                                                               .email = signup->email,
                                                               .salutation = signup->salutation,
                                                               .device_id = signup->device_id,
                                                               .ip_address = call.peer_ip,
                                                               .user_agent = call.user_agent}),
                                           PersonalDataContext(event_id));
  store::Newcomer newcomer{
      .user_id = user_id,
      .event_id = event_id,
      .name = std::move(signup->name),
      .email = std::move(signup->email),
      .country = signup->country,
      .salutation = std::move(signup->salutation),
      .person_key = std::move(made.wrapped.wrapped),
      .person_key_kek = std::move(made.wrapped.kek_id),
      .payload = ToJson(UserCreatedEvent{
          .user_id = user_id, .country = signup->country, .sealed_personal = sealed}),
      .headers = EventHeaders(call.traceparent())};
  sender_.Start(call,
                {.phone = std::move(signup->phone.e164),
                 .purpose = Purpose::kSignup,
                 .channel = signup->channel,
                 .locale = std::move(signup->locale),
                 .newcomer = std::move(newcomer)},
                std::move(answer));
}

}  // namespace countersign::auth
