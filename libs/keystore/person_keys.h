#pragma once
// Every person has a data key of their own; personal fields of events are sealed with it and it is
// kept only wrapped under a key-encryption key (ring `person`). Erasing the wrapped key erases the
// person from every copy of the log.
#include <optional>
#include <string>

#include "libs/core/hex.h"
#include "libs/core/random.h"
#include "libs/core/uuid.h"
#include "libs/crypto/aes_gcm.h"
#include "libs/keystore/key_ring.h"

namespace countersign::keystore {

// What users.person_key and users.person_key_kek hold.
struct WrappedPersonKey {
  Bytes wrapped;
  std::string kek_id;
};

struct MadePersonKey {
  crypto::AesGcmKey key;
  WrappedPersonKey wrapped;
};

// Thread safe; the ring and the generator must outlive it.
class PersonKeys {
 public:
  PersonKeys(SealingRing& kek, Random& random) : kek_(kek), random_(random) {}

  // A fresh random key; wrapped for this person only.
  [[nodiscard]] MadePersonKey Make(const Uuid& user_id) const;
  // Empty if the key was erased, is another person's, or its key-encryption key is gone.
  [[nodiscard]] std::optional<crypto::AesGcmKey> Unwrap(const Uuid& user_id,
                                                        const WrappedPersonKey& wrapped) const;

  // Text form of a sealed personal field of an event: key id is the user id; context is
  // "<event id>/<field>".
  [[nodiscard]] std::string Seal(const crypto::AesGcmKey& key, const Uuid& user_id,
                                 std::string_view plaintext, std::string_view context) const;

 private:
  SealingRing& kek_;
  Random& random_;
};

}  // namespace countersign::keystore
