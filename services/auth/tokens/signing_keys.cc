#include "services/auth/tokens/signing_keys.h"

#include <mutex>

namespace countersign::auth {

SigningKeys::Handle SigningKeys::Current() { return Known(ring_.Current()); }

SigningKeys::Handle SigningKeys::Find(std::string_view key_id) {
  Handle known = FindKnown(key_id);
  if (!known) {
    ring_.Reload();
    for (const auto& handle : ring_.All()) std::ignore = Known(handle);
    known = FindKnown(key_id);
  }
  // The ring decides: a key that left it verifies nothing more.
  if (known && ring_.Find(known->handle->id) != known->handle) return nullptr;
  return known;
}

std::vector<jose::Jwk> SigningKeys::Public() {
  ring_.Reload();
  std::vector<jose::Jwk> keys;
  for (const auto& handle : ring_.All()) keys.push_back(jose::ToJwk(handle->material.Public()));
  return keys;
}

SigningKeys::Handle SigningKeys::Known(const keystore::SigningRing::Handle& handle) {
  {
    const std::shared_lock lock(mutex_);
    const auto found = by_file_.find(handle->id);
    if (found != by_file_.end() && found->second->handle == handle) return found->second;
  }
  auto key = std::make_shared<const Key>(Key{jose::Thumbprint(handle->material.Public()), handle});
  const std::unique_lock lock(mutex_);
  by_file_[handle->id] = key;
  by_thumbprint_[key->key_id] = key;
  return key;
}

SigningKeys::Handle SigningKeys::FindKnown(std::string_view key_id) {
  const std::shared_lock lock(mutex_);
  const auto found = by_thumbprint_.find(key_id);
  return found == by_thumbprint_.end() ? nullptr : found->second;
}

}  // namespace countersign::auth
