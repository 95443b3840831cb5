#include "services/otp/flows/code_hmac.h"

namespace countersign::otp {

Hash HmacOfCode(const crypto::HmacSha256Key& key, std::string_view key_id,
                const CodeBinding& binding, const Secret<std::string>& code) {
  const std::string generation = std::to_string(binding.generation);
  return key.SignParts({AsBytes(key_id), AsBytes(ToString(binding.purpose)),
                        binding.subject_id.value.bytes, binding.challenge_id.value.bytes,
                        AsBytes(generation), AsBytes(code.Reveal())});
}

}  // namespace countersign::otp
