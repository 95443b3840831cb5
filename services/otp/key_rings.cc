#include "services/otp/key_rings.h"

#include <fmt/format.h>

#include <string>

#include "libs/config/load.h"
#include "libs/keystore/provision.h"

namespace countersign::otp {
namespace {

using keystore::CurrentKey;

template <typename Ring>
Ring Open(const std::filesystem::path& root, std::string_view ring, CurrentKey rule,
          const Clock& clock) {
  try {
    return Ring(root / ring, rule, clock);
  } catch (const keystore::KeyFault& fault) {
    throw config::Fault(fmt::format("key ring {}: {}", ring, fault.what()));
  }
}

template <typename Ring>
void WatchReadable(metrics::Registry& registry, std::string_view name, const Ring& ring) {
  registry.AddGaugeFunction(
      "key_ring_readable", "1 unless the last look at the ring's folder failed",
      {{"ring", std::string(name)}}, [&ring] { return ring.LastFault().empty() ? 1.0 : 0.0; });
}

}  // namespace

KeyRings::KeyRings(const std::filesystem::path& root, const Clock& clock)
    : code(Open<keystore::MacRing>(root, keystore::kCodeRing, CurrentKey::kGreatestId, clock)),
      recipient(Open<keystore::SealingRing>(root, keystore::kRecipientRing, CurrentKey::kOfTheDay,
                                            clock)) {}

void WatchKeys(metrics::Registry& registry, const KeyRings& keys) {
  WatchReadable(registry, keystore::kCodeRing, keys.code);
  WatchReadable(registry, keystore::kRecipientRing, keys.recipient);
}

}  // namespace countersign::otp
