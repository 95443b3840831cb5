#include "services/auth/key_rings.h"

#include <fmt/format.h>

#include <chrono>
#include <set>
#include <string>

#include "libs/config/load.h"
#include "libs/keystore/provision.h"

namespace countersign::auth {
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

// For how many days in a row after today (UTC) there is a key; -1: not even for today.
double DaysAhead(const keystore::SealingRing& recipient, const Clock& clock) {
  std::set<std::string> ids;
  for (const auto& key : recipient.All()) ids.insert(key->id);
  const Instant now = clock.Now();
  int days = 0;
  while (ids.contains(keystore::DayOf(now + std::chrono::days(days)))) ++days;
  return days - 1;
}

template <typename Ring>
void WatchReadable(metrics::Registry& registry, std::string_view name, const Ring& ring) {
  registry.AddGaugeFunction(
      "key_ring_readable", "1 unless the last look at the ring's folder failed",
      {{"ring", std::string(name)}}, [&ring] { return ring.LastFault().empty() ? 1.0 : 0.0; });
}

}  // namespace

KeyRings::KeyRings(const std::filesystem::path& root, const Clock& clock)
    : phone(Open<keystore::MacRing>(root, keystore::kPhoneRing, CurrentKey::kGreatestId, clock)),
      claim(Open<keystore::MacRing>(root, keystore::kClaimRing, CurrentKey::kGreatestId, clock)),
      refresh(
          Open<keystore::MacRing>(root, keystore::kRefreshRing, CurrentKey::kGreatestId, clock)),
      person(
          Open<keystore::SealingRing>(root, keystore::kPersonRing, CurrentKey::kGreatestId, clock)),
      recipient(Open<keystore::SealingRing>(root, keystore::kRecipientRing, CurrentKey::kOfTheDay,
                                            clock)),
      signing(Open<keystore::SigningRing>(root, keystore::kSigningRing, CurrentKey::kGreatestId,
                                          clock)) {}

void WatchKeys(metrics::Registry& registry, const KeyRings& keys, const Clock& clock) {
  WatchReadable(registry, keystore::kPhoneRing, keys.phone);
  WatchReadable(registry, keystore::kClaimRing, keys.claim);
  WatchReadable(registry, keystore::kRefreshRing, keys.refresh);
  WatchReadable(registry, keystore::kPersonRing, keys.person);
  WatchReadable(registry, keystore::kRecipientRing, keys.recipient);
  WatchReadable(registry, keystore::kSigningRing, keys.signing);
  registry.AddGaugeFunction("recipient_key_days_ahead",
                            "Days in a row after today for which a recipient key is there", {},
                            [&] { return DaysAhead(keys.recipient, clock); });
}

}  // namespace countersign::auth
