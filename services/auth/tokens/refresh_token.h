#pragma once
// Opaque refresh tokens: `r1.<key id>.<base64url(session id ‖ counter ‖ HMAC-SHA-256)>`. Nothing of
// it is in the database, and the token of a given session and counter can always be made again,
// which is how a lost answer is repeated with the *same* child.
#include <cstdint>
#include <string>
#include <string_view>

#include "libs/core/result.h"
#include "libs/core/secret.h"
#include "libs/keystore/key_ring.h"
#include "services/auth/domain/ids.h"

namespace countersign::auth {

// The position of a token in the chain of its session; the first is 1.
struct RefreshPosition {
  SessionId session_id;
  std::int64_t counter = 1;
  auto operator<=>(const RefreshPosition&) const = default;
};

// Thread safe; the ring must outlive it.
class RefreshTokenCodec {
 public:
  explicit RefreshTokenCodec(keystore::MacRing& keys) : keys_(keys) {}

  [[nodiscard]] Secret<std::string> Encode(const RefreshPosition& position) const;
  // TOKEN_INVALID unless every byte is as Encode writes it, under a key of the ring.
  [[nodiscard]] Result<RefreshPosition> Decode(std::string_view token) const;

 private:
  keystore::MacRing& keys_;
};

}  // namespace countersign::auth
