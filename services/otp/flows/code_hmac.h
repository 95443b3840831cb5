#pragma once
#include <string>
#include <string_view>

#include "libs/core/secret.h"
#include "libs/crypto/digest.h"
#include "services/otp/domain/challenge.h"

namespace countersign::otp {

// What is kept of a code (ADR 0003): its HMAC under a key of ring `code`, together with everything
// it is good for, so that it fits nowhere else.
[[nodiscard]] Hash HmacOfCode(const crypto::HmacSha256Key& key, std::string_view key_id,
                              const CodeBinding& binding, const Secret<std::string>& code);

}  // namespace countersign::otp
