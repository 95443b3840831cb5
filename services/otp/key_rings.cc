#include "services/otp/key_rings.h"

#include <string>

#include "libs/keystore/provision.h"
#include "libs/service/key_rings.h"

namespace countersign::otp {
namespace {

using keystore::CurrentKey;

}  // namespace

KeyRings::KeyRings(const std::filesystem::path& root, const Clock& clock)
    : code(service::OpenRing<keystore::MacRing>(root, keystore::kCodeRing, CurrentKey::kGreatestId,
                                                clock)),
      recipient(service::OpenRing<keystore::SealingRing>(root, keystore::kRecipientRing,
                                                         CurrentKey::kOfTheDay, clock)) {}

void WatchKeys(metrics::Registry& registry, const KeyRings& keys) {
  service::WatchRing(registry, keystore::kCodeRing, keys.code);
  service::WatchRing(registry, keystore::kRecipientRing, keys.recipient);
}

}  // namespace countersign::otp
