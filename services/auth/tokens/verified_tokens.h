#pragma once
#include <array>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "libs/core/clock.h"
#include "libs/crypto/digest.h"
#include "services/auth/domain/access_token.h"

namespace countersign::auth {

// Verified signatures by SHA-256 of issuer, audiences and token. Bounded (the least recently used
// goes), in shards so that threads seldom meet. Holds no token. Thread safe.
class VerifiedTokens {
 public:
  explicit VerifiedTokens(std::size_t max_entries);

  struct Entry {
    std::string key_id;
    AccessTokenClaims claims;
    std::optional<Instant> not_before;
  };
  using Handle = std::shared_ptr<const Entry>;
  // Null: not here.
  [[nodiscard]] Handle Find(const crypto::Digest& key);
  void Keep(const crypto::Digest& key, Handle entry);
  [[nodiscard]] std::size_t size() const;

 private:
  static constexpr std::size_t kShards = 16;
  struct DigestHash {
    std::size_t operator()(const crypto::Digest& digest) const;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::list<std::pair<crypto::Digest, Handle>> by_use;  // newest first
    std::unordered_map<crypto::Digest, std::list<std::pair<crypto::Digest, Handle>>::iterator,
                       DigestHash>
        by_key;
  };
  [[nodiscard]] Shard& ShardOf(const crypto::Digest& key);

  const std::size_t max_per_shard_;
  std::array<Shard, kShards> shards_;
};

}  // namespace countersign::auth
