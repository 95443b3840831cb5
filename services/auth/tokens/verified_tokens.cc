#include "services/auth/tokens/verified_tokens.h"

#include <cstring>

namespace countersign::auth {

VerifiedTokens::VerifiedTokens(std::size_t max_entries)
    : max_per_shard_((max_entries + kShards - 1) / kShards) {}

VerifiedTokens::Handle VerifiedTokens::Find(const crypto::Digest& key) {
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.by_key.find(key);
  if (found == shard.by_key.end()) return nullptr;
  shard.by_use.splice(shard.by_use.begin(), shard.by_use, found->second);
  return found->second->second;
}

void VerifiedTokens::Keep(const crypto::Digest& key, Handle entry) {
  if (max_per_shard_ == 0) return;
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  if (shard.by_key.contains(key)) return;
  if (shard.by_key.size() == max_per_shard_) {
    shard.by_key.erase(shard.by_use.back().first);
    shard.by_use.pop_back();
  }
  shard.by_use.emplace_front(key, std::move(entry));
  shard.by_key.emplace(key, shard.by_use.begin());
}

std::size_t VerifiedTokens::size() const {
  std::size_t total = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    total += shard.by_key.size();
  }
  return total;
}

std::size_t VerifiedTokens::DigestHash::operator()(const crypto::Digest& digest) const {
  // A digest is as good as a hash already; its first byte chose the shard.
  std::size_t hash = 0;
  std::memcpy(&hash, digest.data() + 8, sizeof hash);
  return hash;
}

VerifiedTokens::Shard& VerifiedTokens::ShardOf(const crypto::Digest& key) {
  return shards_.at(key[0] % kShards);
}

}  // namespace countersign::auth
