#include "services/auth/domain/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace countersign::auth {
namespace {

using testing::ElementsAre;

TEST(ChannelTest, EachHasAWordThatIsReadBack) {
  for (const Channel channel : kAllChannels) EXPECT_EQ(ParseChannel(ToString(channel)), channel);
  EXPECT_EQ(ToString(Channel::kSms), "sms");
  EXPECT_EQ(ToString(Channel::kWhatsapp), "whatsapp");
  EXPECT_EQ(ToString(Channel::kVoice), "voice");
  for (const char* word : {"", "SMS", "email", "sms "}) EXPECT_EQ(ParseChannel(word), std::nullopt);
}

TEST(ChannelTest, ProvesWhatRfc8176Names) {
  EXPECT_THAT(AuthenticationMethods(Channel::kSms), ElementsAre("otp", "sms"));
  EXPECT_THAT(AuthenticationMethods(Channel::kVoice), ElementsAre("otp", "tel"));
  EXPECT_THAT(AuthenticationMethods(Channel::kWhatsapp), ElementsAre("otp"));
}

TEST(ChannelTest, WithoutAChoiceItIsTheFirstThatIsOffered) {
  EXPECT_EQ(*Choose({.offered = {Channel::kVoice, Channel::kSms}}, std::nullopt), Channel::kVoice);
  EXPECT_EQ(*Choose({}, std::nullopt), Channel::kSms);
}

TEST(ChannelTest, AChoiceThatIsOfferedIsTaken) {
  EXPECT_EQ(*Choose({.offered = {Channel::kVoice, Channel::kSms}}, Channel::kSms), Channel::kSms);
}

TEST(ChannelTest, AChoiceThatIsNotOfferedIsRefusedWithItsField) {
  const auto refused = Choose({.offered = {Channel::kSms}}, Channel::kWhatsapp);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, &reasons::kChannelUnsupported);
  EXPECT_EQ(refused.error().field, "channel");
}

}  // namespace
}  // namespace countersign::auth
