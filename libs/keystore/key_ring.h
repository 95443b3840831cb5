#pragma once
// A ring of keys of one purpose and one kind, read from a directory. New files are seen without a
// restart; which key is current follows from the file names alone, so replicas agree.
#include <chrono>
#include <concepts>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/core/clock.h"
#include "libs/core/hex.h"
#include "libs/crypto/aes_gcm.h"
#include "libs/crypto/digest.h"
#include "libs/crypto/ec_key.h"
#include "libs/keystore/key_directory.h"

namespace countersign::keystore {

template <typename K>
concept KeyMaterial = std::move_constructible<K> && requires(ByteView file) {
  { K::FromKeyFile(file) } -> std::same_as<std::optional<K>>;
};

// Which key new things are made with.
enum class CurrentKey {
  kGreatestId,  // the last in order of id
  kOfTheDay,    // ids are days (YYYYMMDD): the last that is not after today (UTC)
};

// YYYYMMDD in UTC: the id of a key of the day.
[[nodiscard]] std::string DayOf(Instant instant);
[[nodiscard]] bool IsDay(std::string_view id);

// When the directory is read again.
struct Reloading {
  // A look-up of an unknown id, or a new day, reads it again, but no more often than this.
  std::chrono::milliseconds at_most_every{1000};
  // So old may the picture of it be when a key is asked for: a key that was added becomes current,
  // and one that was removed is forgotten, no later than this.
  std::chrono::milliseconds at_least_every{30'000};
};

// Thread safe. `clock` must outlive it.
template <KeyMaterial K>
class KeyRing {
 public:
  struct Key {
    std::string id;
    K material;
  };
  // Shared by the ring and whoever is using the key just now: a reload drops the ring's share.
  using Handle = std::shared_ptr<const Key>;

  // Throws KeyFault if any key of the directory is unusable (a partly readable ring is a fault, not
  // a smaller ring) or no key is current.
  KeyRing(std::filesystem::path directory, CurrentKey rule, const Clock& clock,
          Reloading reloading = {});

  // Never null. Throws KeyFault if no key is current any more.
  [[nodiscard]] Handle Current();
  // Null: no key of the ring has this id. `id` may come from a token; it never becomes a path.
  [[nodiscard]] Handle Find(std::string_view id);
  // In order of id.
  [[nodiscard]] std::vector<Handle> All() const;
  // Reads the directory again; false if that was done less than at_most_every ago. Ids are names
  // of contents: a file of a known id is not read again. A directory that became unusable leaves
  // the loaded keys in use.
  bool Reload();
  [[nodiscard]] std::string LastFault() const;

 private:
  using Keys = std::map<std::string, Handle, std::less<>>;

  [[nodiscard]] Keys Load(const Keys& known) const;
  [[nodiscard]] Handle CurrentOf(const Keys& keys) const;
  struct Found {
    Handle key;
    bool is_fresh = false;
  };
  [[nodiscard]] Found FindLoaded(std::string_view id) const;

  const std::filesystem::path directory_;
  const CurrentKey rule_;
  const Clock& clock_;
  const Reloading reloading_;
  mutable std::shared_mutex mutex_;
  Keys keys_;                                            // guarded by mutex_
  std::chrono::steady_clock::time_point last_reload_{};  // guarded by mutex_
  std::string last_fault_;                               // guarded by mutex_
};

// Sealing keys (rings `recipient`, `person`), MAC keys (`phone`, `code`, `claim`, `refresh`) and
// signature keys (`signing`).
using SealingRing = KeyRing<crypto::AesGcmKey>;
using MacRing = KeyRing<crypto::HmacSha256Key>;
using SigningRing = KeyRing<crypto::EcPrivateKey>;

extern template class KeyRing<crypto::AesGcmKey>;
extern template class KeyRing<crypto::HmacSha256Key>;
extern template class KeyRing<crypto::EcPrivateKey>;

}  // namespace countersign::keystore
