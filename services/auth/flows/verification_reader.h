#pragma once
// What a verification id stands for, read in batches.
#include <optional>

#include "libs/pg/batcher.h"
#include "services/auth/store/verifications.h"

namespace countersign::auth {

// By SHA-256 of the id. Empty: there is no such verification.
using VerificationReader = pg::Batcher<Hash, std::optional<store::KnownVerification>>;

[[nodiscard]] VerificationReader::Work ReadWork();

}  // namespace countersign::auth
