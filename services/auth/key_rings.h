#pragma once
#include <filesystem>

#include "libs/core/clock.h"
#include "libs/keystore/key_ring.h"
#include "libs/metrics/registry.h"

namespace countersign::auth {

// The rings this service needs, of one root folder. They look for new keys by themselves.
struct KeyRings {
  // Throws config::Fault if one is missing or unusable.
  KeyRings(const std::filesystem::path& root, const Clock& clock);

  keystore::MacRing phone;
  keystore::MacRing claim;
  keystore::MacRing refresh;
  keystore::SealingRing person;
  keystore::SealingRing recipient;
  keystore::SigningRing signing;
};

// key_ring_readable{ring}, 1 unless the last look at its folder failed (the loaded keys stay in
// use), and recipient_key_days_ahead. The rings must live as long as the registry's endpoint.
void WatchKeys(metrics::Registry& registry, const KeyRings& keys, const Clock& clock);

}  // namespace countersign::auth
