#include "services/auth/key_rings.h"

#include <chrono>
#include <set>
#include <string>

#include "libs/keystore/provision.h"
#include "libs/service/key_rings.h"

namespace countersign::auth {
namespace {

using keystore::CurrentKey;

// For how many days in a row after today (UTC) there is a key; -1: not even for today.
double DaysAhead(const keystore::SealingRing& recipient, const Clock& clock) {
  std::set<std::string> ids;
  for (const auto& key : recipient.All()) ids.insert(key->id);
  const Instant now = clock.Now();
  int days = 0;
  while (ids.contains(keystore::DayOf(now + std::chrono::days(days)))) ++days;
  return days - 1;
}

}  // namespace

KeyRings::KeyRings(const std::filesystem::path& root, const Clock& clock)
    : phone(service::OpenRing<keystore::MacRing>(root, keystore::kPhoneRing,
                                                 CurrentKey::kGreatestId, clock)),
      claim(service::OpenRing<keystore::MacRing>(root, keystore::kClaimRing,
                                                 CurrentKey::kGreatestId, clock)),
      refresh(service::OpenRing<keystore::MacRing>(root, keystore::kRefreshRing,
                                                   CurrentKey::kGreatestId, clock)),
      person(service::OpenRing<keystore::SealingRing>(root, keystore::kPersonRing,
                                                      CurrentKey::kGreatestId, clock)),
      recipient(service::OpenRing<keystore::SealingRing>(root, keystore::kRecipientRing,
                                                         CurrentKey::kOfTheDay, clock)),
      signing(service::OpenRing<keystore::SigningRing>(root, keystore::kSigningRing,
                                                       CurrentKey::kGreatestId, clock)) {}

void WatchKeys(metrics::Registry& registry, const KeyRings& keys, const Clock& clock) {
  service::WatchRing(registry, keystore::kPhoneRing, keys.phone);
  service::WatchRing(registry, keystore::kClaimRing, keys.claim);
  service::WatchRing(registry, keystore::kRefreshRing, keys.refresh);
  service::WatchRing(registry, keystore::kPersonRing, keys.person);
  service::WatchRing(registry, keystore::kRecipientRing, keys.recipient);
  service::WatchRing(registry, keystore::kSigningRing, keys.signing);
  registry.AddGaugeFunction("recipient_key_days_ahead",
                            "Days in a row after today for which a recipient key is there", {},
                            [&] { return DaysAhead(keys.recipient, clock); });
}

}  // namespace countersign::auth
