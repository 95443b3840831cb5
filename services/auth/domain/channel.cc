#include "services/auth/domain/channel.h"

#include <algorithm>

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

Result<Channel> Choose(const ChannelOffer& offer, std::optional<Channel> choice) {
  const auto& offered = offer.offered;
  Invariant(!offered.empty(), "an installation offers a channel");
  const Channel channel = choice.value_or(offered.front());
  if (std::find(offered.begin(), offered.end(), channel) == offered.end())
    return Fail(reasons::kChannelUnsupported, {.field = "channel"});
  return channel;
}

}  // namespace countersign::auth
