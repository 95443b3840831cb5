#include "services/auth/domain/channel.h"

#include "libs/core/invariant.h"

namespace countersign::auth {

std::string_view ToString(Channel channel) {
  switch (channel) {
    case Channel::kSms:
      return "sms";
    case Channel::kWhatsapp:
      return "whatsapp";
    case Channel::kVoice:
      return "voice";
  }
  Invariant(false, "a channel outside its enumeration");
  return {};
}

std::optional<Channel> ParseChannel(std::string_view word) {
  for (const Channel channel : kAllChannels)
    if (ToString(channel) == word) return channel;
  return std::nullopt;
}

std::vector<std::string> AuthenticationMethods(Channel channel) {
  switch (channel) {
    case Channel::kSms:
      return {"otp", "sms"};
    case Channel::kVoice:
      return {"otp", "tel"};
    case Channel::kWhatsapp:
      break;
  }
  return {"otp"};  // the standard has no word for a message over the internet
}

}  // namespace countersign::auth
