#pragma once
// The key rings of a service, each a folder below its key directory.
#include <filesystem>
#include <string>
#include <string_view>

#include "libs/config/load.h"
#include "libs/core/clock.h"
#include "libs/keystore/key_ring.h"
#include "libs/metrics/registry.h"

namespace countersign::service {

// Throws config::Fault, which names the ring, if it cannot be read.
template <typename Ring>
[[nodiscard]] Ring OpenRing(const std::filesystem::path& root, std::string_view ring,
                            keystore::CurrentKey rule, const Clock& clock) {
  try {
    return Ring(root / ring, rule, clock);
  } catch (const keystore::KeyFault& fault) {
    throw config::Fault("key ring " + std::string(ring) + ": " + fault.what());
  }
}

// The ring must live as long as the registry's endpoint.
template <typename Ring>
void WatchRing(metrics::Registry& registry, std::string_view name, const Ring& ring) {
  registry.AddGaugeFunction(
      "key_ring_readable", "1 unless the last look at the ring's folder failed",
      {{"ring", std::string(name)}}, [&ring] { return ring.LastFault().empty() ? 1.0 : 0.0; });
}

}  // namespace countersign::service
