#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/result.h"

namespace countersign::auth {

// How a code reaches the person.
enum class Channel { kSms, kWhatsapp, kVoice };

inline constexpr std::array kAllChannels = {Channel::kSms, Channel::kWhatsapp, Channel::kVoice};

// The word in events, rows and configuration: "sms", "whatsapp", "voice".
[[nodiscard]] std::string_view ToString(Channel channel);
[[nodiscard]] std::optional<Channel> ParseChannel(std::string_view word);

// What a code over this channel proves (RFC 8176 section 2), for claim `amr`.
[[nodiscard]] std::vector<std::string> AuthenticationMethods(Channel channel);

// What an installation offers; the first is the default. At least one.
struct ChannelOffer {
  std::vector<Channel> offered{kAllChannels.begin(), kAllChannels.end()};
};
// Empty choice: the default. CHANNEL_UNSUPPORTED with field `channel` for one that is not offered.
[[nodiscard]] Result<Channel> Choose(const ChannelOffer& offer, std::optional<Channel> choice);

}  // namespace countersign::auth
