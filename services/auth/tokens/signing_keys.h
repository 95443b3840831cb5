#pragma once
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "libs/jose/jwk.h"
#include "libs/keystore/key_ring.h"

namespace countersign::auth {

// The keys of ring `signing` under the names that tokens know them by: their thumbprints. A key is
// known exactly as long as the ring has it. Thread safe; the ring must outlive it.
class SigningKeys {
 public:
  struct Key {
    std::string key_id;  // RFC 7638 thumbprint
    keystore::SigningRing::Handle handle;
  };
  using Handle = std::shared_ptr<const Key>;

  explicit SigningKeys(keystore::SigningRing& ring) : ring_(ring) {}

  // Never null.
  [[nodiscard]] Handle Current();
  // Null: no key of the ring has this thumbprint.
  [[nodiscard]] Handle Find(std::string_view key_id);
  // What GetJwks publishes, oldest first. Never a private member.
  [[nodiscard]] std::vector<jose::Jwk> Public();

 private:
  [[nodiscard]] Handle Known(const keystore::SigningRing::Handle& handle);
  [[nodiscard]] Handle FindKnown(std::string_view key_id);

  keystore::SigningRing& ring_;
  std::shared_mutex mutex_;
  std::map<std::string, Handle, std::less<>> by_thumbprint_;  // guarded by mutex_
  std::map<std::string, Handle, std::less<>> by_file_;        // guarded by mutex_
};

}  // namespace countersign::auth
