#include "libs/crypto/aes_gcm.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "libs/core/invariant.h"
#include "libs/crypto/digest.h"
#include "libs/crypto/fault.h"
#include "libs/crypto/key_quality.h"

namespace countersign::crypto {
namespace {

struct FreeCipherContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeCipherContext>;

const EVP_CIPHER* FetchedCipher() {
  static const EVP_CIPHER* const kept = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  if (kept == nullptr) throw CryptoFault("OpenSSL has no AES-256-GCM");
  return kept;
}

CipherContext NewContext() {
  CipherContext context(EVP_CIPHER_CTX_new());
  if (!context) throw CryptoFault("no memory for a cipher");
  return context;
}

void Must(int result) {
  if (result != 1) throw CryptoFault("AES-256-GCM failed");
}

int Size(ByteView bytes) {
  Invariant(bytes.size() <= 1 << 30, "sealing more than 1 GiB at once");
  return static_cast<int>(bytes.size());
}

}  // namespace

AesGcmKey::AesGcmKey(ByteView key) {
  Invariant(key.size() == kKeyBytes, "an AES-256 key has 32 bytes");
  std::ranges::copy(key, key_.begin());
}

std::optional<AesGcmKey> AesGcmKey::FromKeyFile(ByteView file) {
  if (file.size() != kKeyBytes || !LooksRandom(file)) return std::nullopt;
  return AesGcmKey(file);
}

AesGcmKey::AesGcmKey(AesGcmKey&& other) noexcept : key_(other.key_) { Cleanse(other.key_); }

AesGcmKey& AesGcmKey::operator=(AesGcmKey&& other) noexcept {
  if (this != &other) {
    key_ = other.key_;
    Cleanse(other.key_);
  }
  return *this;
}

AesGcmKey::~AesGcmKey() { Cleanse(key_); }

Bytes AesGcmKey::Seal(Random& random, ByteView plaintext, ByteView associated) const {
  Bytes box(kNonceBytes + plaintext.size() + kTagBytes);
  random.Fill(std::span(box).first(kNonceBytes));
  std::uint8_t* const ciphertext = box.data() + kNonceBytes;

  const CipherContext context = NewContext();
  int written = 0;
  Must(EVP_EncryptInit_ex2(context.get(), FetchedCipher(), key_.data(), box.data(), nullptr));
  if (!associated.empty()) {
    Must(EVP_EncryptUpdate(context.get(), nullptr, &written, associated.data(), Size(associated)));
  }
  if (!plaintext.empty()) {
    Must(EVP_EncryptUpdate(context.get(), ciphertext, &written, plaintext.data(), Size(plaintext)));
  }
  Must(EVP_EncryptFinal_ex(context.get(), ciphertext + plaintext.size(), &written));
  Must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, int{kTagBytes},
                           ciphertext + plaintext.size()));
  return box;
}

std::optional<Bytes> AesGcmKey::Open(ByteView box, ByteView associated) const {
  if (box.size() < kNonceBytes + kTagBytes) return std::nullopt;
  const ByteView nonce = box.first(kNonceBytes);
  const ByteView ciphertext = box.subspan(kNonceBytes, box.size() - kNonceBytes - kTagBytes);
  std::array<std::uint8_t, kTagBytes> tag;
  std::ranges::copy(box.last(kTagBytes), tag.begin());

  const CipherContext context = NewContext();
  Bytes plaintext(ciphertext.size());
  int written = 0;
  Must(EVP_DecryptInit_ex2(context.get(), FetchedCipher(), key_.data(), nonce.data(), nullptr));
  if (!associated.empty()) {
    Must(EVP_DecryptUpdate(context.get(), nullptr, &written, associated.data(), Size(associated)));
  }
  if (!ciphertext.empty()) {
    Must(EVP_DecryptUpdate(context.get(), plaintext.data(), &written, ciphertext.data(),
                           Size(ciphertext)));
  }
  Must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, int{kTagBytes}, tag.data()));
  if (EVP_DecryptFinal_ex(context.get(), plaintext.data() + plaintext.size(), &written) != 1) {
    Cleanse(plaintext);
    return std::nullopt;
  }
  return plaintext;
}

}  // namespace countersign::crypto
