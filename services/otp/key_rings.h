#pragma once
#include <filesystem>

#include "libs/core/clock.h"
#include "libs/keystore/key_ring.h"
#include "libs/metrics/registry.h"

namespace countersign::otp {

// The rings this service needs, of one root folder. They look for new keys by themselves.
struct KeyRings {
  // Throws config::Fault if one is missing or unusable.
  KeyRings(const std::filesystem::path& root, const Clock& clock);

  keystore::MacRing code;
  keystore::SealingRing recipient;
};

// key_ring_readable{ring}: 1 unless the last look at its folder failed (the loaded keys stay in
// use). The rings must live as long as the registry's endpoint.
void WatchKeys(metrics::Registry& registry, const KeyRings& keys);

}  // namespace countersign::otp
