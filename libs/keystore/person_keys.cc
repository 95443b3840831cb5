#include "libs/keystore/person_keys.h"

#include "libs/crypto/digest.h"
#include "libs/crypto/sealed_box.h"

namespace countersign::keystore {
namespace {

// Binds a wrapped key to its person and to the key it is wrapped under.
std::string Owner(const Uuid& user_id, std::string_view kek_id) {
  return "person-key/" + std::string(kek_id) + "/" + ToString(user_id);
}

}  // namespace

MadePersonKey PersonKeys::Make(const Uuid& user_id) const {
  std::array<std::uint8_t, crypto::AesGcmKey::kKeyBytes> bytes;
  random_.Fill(bytes);
  const SealingRing::Handle kek = kek_.Current();
  const std::string owner = Owner(user_id, kek->id);
  MadePersonKey made{crypto::AesGcmKey(bytes),
                     {kek->material.Seal(random_, bytes, AsBytes(owner)), kek->id}};
  crypto::Cleanse(bytes);
  return made;
}

std::optional<crypto::AesGcmKey> PersonKeys::Unwrap(const Uuid& user_id,
                                                    const WrappedPersonKey& wrapped) const {
  if (wrapped.wrapped.empty()) return std::nullopt;
  const SealingRing::Handle kek = kek_.Find(wrapped.kek_id);
  if (!kek) return std::nullopt;
  const std::string owner = Owner(user_id, kek->id);
  std::optional<Bytes> bytes = kek->material.Open(wrapped.wrapped, AsBytes(owner));
  if (!bytes || bytes->size() != crypto::AesGcmKey::kKeyBytes) return std::nullopt;
  crypto::AesGcmKey key(*bytes);
  crypto::Cleanse(*bytes);
  return key;
}

std::string PersonKeys::Seal(const crypto::AesGcmKey& key, const Uuid& user_id,
                             std::string_view plaintext, std::string_view context) const {
  return crypto::SealToText(key, ToString(user_id), random_, plaintext, context);
}

}  // namespace countersign::keystore
