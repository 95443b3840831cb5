#include "libs/crypto/ec_key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include <algorithm>
#include <utility>

#include "libs/crypto/digest.h"
#include "libs/crypto/fault.h"

namespace countersign::crypto {
namespace {

constexpr std::size_t kCoordinate = 32;
// SEQUENCE of two INTEGERs of up to 33 bytes each.
constexpr std::size_t kMaxDerBytes = 72;

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
struct FreeNumber {
  void operator()(BIGNUM* number) const { BN_free(number); }
};
struct FreeSignature {
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;
using Number = std::unique_ptr<BIGNUM, FreeNumber>;
using Signature = std::unique_ptr<ECDSA_SIG, FreeSignature>;

bool IsP256(const EVP_PKEY* key) {
  char group[32] = {};
  return EVP_PKEY_is_a(key, "EC") == 1 &&
         EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                        nullptr) == 1 &&
         std::string_view(group) == "prime256v1";
}

EcPoint PointOf(const EVP_PKEY* key) {
  EcPoint point;
  const auto read = [key](const char* name, std::array<std::uint8_t, kCoordinate>& out) {
    BIGNUM* raw = nullptr;
    const bool found = EVP_PKEY_get_bn_param(key, name, &raw) == 1;
    const Number number(raw);
    if (!found || BN_bn2binpad(number.get(), out.data(), int{kCoordinate}) != int{kCoordinate}) {
      throw CryptoFault("an EC key without coordinates");
    }
  };
  read(OSSL_PKEY_PARAM_EC_PUB_X, point.x);
  read(OSSL_PKEY_PARAM_EC_PUB_Y, point.y);
  return point;
}

PkeyContextHandle Prepare(EVP_PKEY* key, int (*begin)(EVP_PKEY_CTX*)) {
  PkeyContextHandle context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (!context || begin(context.get()) != 1) throw CryptoFault("preparing an EC key failed");
  return context;
}

// A prepared context is read only; each operation works on a copy of its own.
PkeyContextHandle Copy(const PkeyContextHandle& prepared) {
  PkeyContextHandle copy(EVP_PKEY_CTX_dup(prepared.get()));
  if (!copy) throw CryptoFault("copying an EC operation failed");
  return copy;
}

PkeyHandle ShareOf(const PkeyHandle& key) {
  if (EVP_PKEY_up_ref(key.get()) != 1) throw CryptoFault("sharing an EC key failed");
  return PkeyHandle(key.get());
}

}  // namespace

EcPublicKey::EcPublicKey(PkeyHandle key, PkeyContextHandle verifying, const EcPoint& point)
    : key_(std::move(key)), verifying_(std::move(verifying)), point_(point) {}

std::optional<EcPublicKey> EcPublicKey::FromPoint(const EcPoint& point) {
  std::array<std::uint8_t, 1 + 2 * kCoordinate> encoded;
  encoded[0] = POINT_CONVERSION_UNCOMPRESSED;
  std::ranges::copy(point.x, encoded.begin() + 1);
  std::ranges::copy(point.y, encoded.begin() + 1 + kCoordinate);
  char group[] = "prime256v1";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, encoded.data(), encoded.size()),
      OSSL_PARAM_construct_end()};
  const PkeyContextHandle maker(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  if (!maker || EVP_PKEY_fromdata_init(maker.get()) != 1) throw CryptoFault("OpenSSL has no EC");
  EVP_PKEY* raw = nullptr;
  if (EVP_PKEY_fromdata(maker.get(), &raw, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    return std::nullopt;
  }
  PkeyHandle key(raw);
  const PkeyContextHandle checker(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  if (!checker || EVP_PKEY_public_check(checker.get()) != 1) return std::nullopt;
  PkeyContextHandle verifying = Prepare(key.get(), EVP_PKEY_verify_init);
  return EcPublicKey(std::move(key), std::move(verifying), point);
}

bool EcPublicKey::Verify(ByteView message, ByteView signature) const {
  if (signature.size() != 2 * kCoordinate) return false;
  Signature parsed(ECDSA_SIG_new());
  Number r(BN_bin2bn(signature.data(), int{kCoordinate}, nullptr));
  Number s(BN_bin2bn(signature.data() + kCoordinate, int{kCoordinate}, nullptr));
  if (!parsed || !r || !s || ECDSA_SIG_set0(parsed.get(), r.get(), s.get()) != 1) {
    throw CryptoFault("no memory for a signature");
  }
  std::ignore = r.release();  // owned by the signature now
  std::ignore = s.release();
  std::array<std::uint8_t, kMaxDerBytes> der;
  std::uint8_t* end = der.data();
  const int der_bytes = i2d_ECDSA_SIG(parsed.get(), &end);
  if (der_bytes <= 0) throw CryptoFault("encoding a signature failed");

  const Digest digest = Sha256(message);
  const PkeyContextHandle operation = Copy(verifying_);
  return EVP_PKEY_verify(operation.get(), der.data(), static_cast<std::size_t>(der_bytes),
                         digest.data(), digest.size()) == 1;
}

EcPrivateKey::EcPrivateKey(PkeyHandle key, PkeyContextHandle signing, EcPublicKey public_key)
    : key_(std::move(key)), signing_(std::move(signing)), public_(std::move(public_key)) {}

EcPrivateKey EcPrivateKey::FromHandle(PkeyHandle key) {
  PkeyContextHandle verifying = Prepare(key.get(), EVP_PKEY_verify_init);
  EcPublicKey public_key(ShareOf(key), std::move(verifying), PointOf(key.get()));
  PkeyContextHandle signing = Prepare(key.get(), EVP_PKEY_sign_init);
  return EcPrivateKey(std::move(key), std::move(signing), std::move(public_key));
}

EcPrivateKey EcPrivateKey::Generate() {
  PkeyHandle key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (!key) throw CryptoFault("making an EC key failed");
  return FromHandle(std::move(key));
}

std::optional<EcPrivateKey> EcPrivateKey::FromPem(std::string_view pem) {
  if (pem.size() > 4096) return std::nullopt;
  const Bio source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!source) throw CryptoFault("no memory for a key");
  // An encrypted key must fail, not ask the terminal for a password.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  PkeyHandle key(PEM_read_bio_PrivateKey(source.get(), nullptr, no_password, nullptr));
  if (!key || !IsP256(key.get())) return std::nullopt;
  const PkeyContextHandle checker(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  if (!checker || EVP_PKEY_check(checker.get()) != 1) return std::nullopt;
  return FromHandle(std::move(key));
}

std::optional<EcPrivateKey> EcPrivateKey::FromKeyFile(ByteView file) {
  return FromPem(AsText(file));
}

Secret<std::string> EcPrivateKey::ToPem() const {
  const Bio sink(BIO_new(BIO_s_secmem()));
  if (!sink || PEM_write_bio_PKCS8PrivateKey(sink.get(), key_.get(), nullptr, nullptr, 0, nullptr,
                                             nullptr) != 1) {
    throw CryptoFault("writing an EC key failed");
  }
  char* text = nullptr;
  const long length = BIO_get_mem_data(sink.get(), &text);
  return Secret<std::string>(std::string(text, static_cast<std::size_t>(length)));
}

Es256Signature EcPrivateKey::Sign(ByteView message) const {
  const Digest digest = Sha256(message);
  const PkeyContextHandle operation = Copy(signing_);
  std::array<std::uint8_t, kMaxDerBytes> der;
  std::size_t der_bytes = der.size();
  if (EVP_PKEY_sign(operation.get(), der.data(), &der_bytes, digest.data(), digest.size()) != 1) {
    throw CryptoFault("signing failed");
  }
  const std::uint8_t* cursor = der.data();
  const Signature parsed(d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(der_bytes)));
  Es256Signature raw;
  if (!parsed || BN_bn2binpad(ECDSA_SIG_get0_r(parsed.get()), raw.data(), int{kCoordinate}) < 0 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(parsed.get()), raw.data() + kCoordinate, int{kCoordinate}) <
          0) {
    throw CryptoFault("signing failed");
  }
  return raw;
}

}  // namespace countersign::crypto
