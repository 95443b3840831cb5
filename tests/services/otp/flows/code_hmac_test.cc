#include "services/otp/flows/code_hmac.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace countersign::otp {
namespace {

Bytes KeyOf(std::uint8_t fill) { return Bytes(32, fill); }

const CodeBinding kBinding{.purpose = Purpose::kSignup,
                           .subject_id = {*ParseUuid("019a0000-0000-4000-8000-000000000001")},
                           .challenge_id = {*ParseUuid("019a0000-0000-4000-8000-000000000002")},
                           .generation = 1};

Hash Of(const CodeBinding& binding, const std::string& code = "123456",
        std::string_view key_id = "k1", std::uint8_t key = 7) {
  return HmacOfCode(crypto::HmacSha256Key(KeyOf(key)), key_id, binding, Secret<std::string>(code));
}

TEST(CodeHmac, IsTheSameForTheSame) { EXPECT_EQ(Of(kBinding), Of(kBinding)); }

// Whatever of it differs, the code fits nowhere else.
TEST(CodeHmac, OTP7_BindsTheCodeToKeyPurposeNumberChallengeAndSend) {
  CodeBinding login = kBinding;
  login.purpose = Purpose::kLogin;
  CodeBinding number = kBinding;
  number.subject_id.value.bytes[0] ^= 1;
  CodeBinding challenge = kBinding;
  challenge.challenge_id.value.bytes[15] ^= 1;
  CodeBinding resend = kBinding;
  resend.generation = 2;
  const std::set<Hash> all = {Of(kBinding),
                              Of(login),
                              Of(number),
                              Of(challenge),
                              Of(resend),
                              Of(kBinding, "123457"),
                              Of(kBinding, "0123456"),
                              Of(kBinding, "123456", "k2"),
                              Of(kBinding, "123456", "k1", 8)};
  EXPECT_EQ(all.size(), 9U);
}

}  // namespace
}  // namespace countersign::otp
