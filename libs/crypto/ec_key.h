#pragma once
// EC keys on P-256 and ES256 signatures in the raw form r ‖ s of 64 bytes (RFC 7518 section 3.4).
// Keys and their prepared operations are kept; signing parses and fetches nothing. Thread safe.
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "libs/core/hex.h"
#include "libs/core/secret.h"
#include "libs/crypto/handles.h"

namespace countersign::crypto {

using Es256Signature = std::array<std::uint8_t, 64>;

// Affine coordinates, 32 bytes each.
struct EcPoint {
  std::array<std::uint8_t, 32> x{};
  std::array<std::uint8_t, 32> y{};
};

// Move only.
class EcPublicKey {
 public:
  // Empty for a point that is not on the curve.
  [[nodiscard]] static std::optional<EcPublicKey> FromPoint(const EcPoint& point);
  [[nodiscard]] EcPoint Point() const { return point_; }
  // False for any signature that is not exactly 64 bytes, out of range or not of this message.
  [[nodiscard]] bool Verify(ByteView message, ByteView signature) const;

 private:
  friend class EcPrivateKey;
  EcPublicKey(PkeyHandle key, PkeyContextHandle verifying, const EcPoint& point);
  PkeyHandle key_;
  PkeyContextHandle verifying_;
  EcPoint point_;
};

// Move only.
class EcPrivateKey {
 public:
  [[nodiscard]] static EcPrivateKey Generate();
  // PKCS#8 PEM without password. Empty for anything but a valid private key on P-256.
  [[nodiscard]] static std::optional<EcPrivateKey> FromPem(std::string_view pem);
  // For KeyRing.
  [[nodiscard]] static std::optional<EcPrivateKey> FromKeyFile(ByteView file);
  [[nodiscard]] Secret<std::string> ToPem() const;

  [[nodiscard]] Es256Signature Sign(ByteView message) const;
  [[nodiscard]] const EcPublicKey& Public() const { return public_; }

 private:
  [[nodiscard]] static EcPrivateKey FromHandle(PkeyHandle key);
  EcPrivateKey(PkeyHandle key, PkeyContextHandle signing, EcPublicKey public_key);
  PkeyHandle key_;
  PkeyContextHandle signing_;
  EcPublicKey public_;
};

}  // namespace countersign::crypto
