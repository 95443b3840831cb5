#pragma once
// A record of topic `verification` as what it asks for.
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "libs/core/random.h"
#include "libs/keystore/key_ring.h"
#include "services/otp/flows/deliver_code.h"

namespace countersign::otp {

// Borrowed from the record. Absent headers are empty.
struct SendOtpRecord {
  std::string_view type;      // ce_type
  std::string_view event_id;  // ce_id
  std::string_view traceparent;
  std::string_view value;
};

struct ReadSendOtp {
  SendIntent intent;
  // Why intent.recipient is empty. That matters only if the event is in time, and the database
  // knows that.
  std::string why_sealed;
};

// Everything but the recipient must be sound, else the text says what is not; it quotes nothing.
// What a later version of the schema adds is ignored. Thread safe.
[[nodiscard]] tl::expected<ReadSendOtp, std::string> Read(const SendOtpRecord& record,
                                                          keystore::SealingRing& recipient_keys,
                                                          Random& random);

}  // namespace countersign::otp
