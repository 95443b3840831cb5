#include "libs/crypto/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "libs/crypto/fault.h"
#include "libs/crypto/key_quality.h"

namespace countersign::crypto {
namespace {

// Fetched once and kept for the life of the process: a fetch per call costs more than the hash.
const EVP_MD* FetchedSha256() {
  static const EVP_MD* const kept = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (kept == nullptr) throw CryptoFault("OpenSSL has no SHA-256");
  return kept;
}

EVP_MAC* FetchedHmac() {
  static EVP_MAC* const kept = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  if (kept == nullptr) throw CryptoFault("OpenSSL has no HMAC");
  return kept;
}

MacContextHandle Copy(const MacContextHandle& prepared) {
  MacContextHandle copy(EVP_MAC_CTX_dup(prepared.get()));
  if (!copy) throw CryptoFault("copying an HMAC state failed");
  return copy;
}

void Add(const MacContextHandle& state, ByteView part) {
  if (EVP_MAC_update(state.get(), part.data(), part.size()) != 1) {
    throw CryptoFault("HMAC failed");
  }
}

Digest Finish(const MacContextHandle& state) {
  Digest mac;
  std::size_t written = 0;
  if (EVP_MAC_final(state.get(), mac.data(), &written, mac.size()) != 1 || written != mac.size()) {
    throw CryptoFault("HMAC failed");
  }
  return mac;
}

}  // namespace

Digest Sha256(ByteView message) {
  Digest digest;
  if (EVP_Digest(message.data(), message.size(), digest.data(), nullptr, FetchedSha256(),
                 nullptr) != 1) {
    throw CryptoFault("SHA-256 failed");
  }
  return digest;
}

bool ConstantTimeEqual(ByteView left, ByteView right) {
  return left.size() == right.size() &&
         (left.empty() || CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0);
}

void Cleanse(std::span<std::uint8_t> bytes) { OPENSSL_cleanse(bytes.data(), bytes.size()); }

HmacSha256Key::HmacSha256Key(ByteView key) : prepared_(EVP_MAC_CTX_new(FetchedHmac())) {
  char name[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                   OSSL_PARAM_construct_end()};
  // OpenSSL takes a null pointer for "keep the key"; an empty key needs an address of its own.
  const std::uint8_t nothing = 0;
  const std::uint8_t* const data = key.empty() ? &nothing : key.data();
  if (!prepared_ || EVP_MAC_init(prepared_.get(), data, key.size(), parameters) != 1) {
    throw CryptoFault("preparing an HMAC key failed");
  }
}

std::optional<HmacSha256Key> HmacSha256Key::FromKeyFile(ByteView file) {
  if (file.size() != kFileBytes || !LooksRandom(file)) return std::nullopt;
  return HmacSha256Key(file);
}

Digest HmacSha256Key::Sign(ByteView message) const {
  const MacContextHandle state = Copy(prepared_);
  Add(state, message);
  return Finish(state);
}

Digest HmacSha256Key::SignParts(std::initializer_list<ByteView> parts) const {
  const MacContextHandle state = Copy(prepared_);
  for (const ByteView part : parts) {
    std::array<std::uint8_t, 4> length;
    for (std::size_t i = 0; i < length.size(); ++i) {
      length[i] = static_cast<std::uint8_t>(part.size() >> (8 * (length.size() - 1 - i)));
    }
    Add(state, length);
    Add(state, part);
  }
  return Finish(state);
}

}  // namespace countersign::crypto
