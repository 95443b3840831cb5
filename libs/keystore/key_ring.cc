#include "libs/keystore/key_ring.h"

#include <algorithm>

#include "libs/crypto/digest.h"

namespace countersign::keystore {
namespace {

// Key files are copied into key objects; the copy read from disk is wiped.
class Wiped {
 public:
  explicit Wiped(const Secret<Bytes>& secret) : bytes_(secret.Reveal()) {}
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  ~Wiped() { crypto::Cleanse(bytes_); }
  [[nodiscard]] ByteView view() const { return bytes_; }

 private:
  Bytes bytes_;
};

}  // namespace

std::string DayOf(Instant instant) {
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(instant));
  const auto digits = [](unsigned value, std::size_t width) {
    std::string text = std::to_string(value);
    return std::string(width - std::min(width, text.size()), '0') + text;
  };
  return digits(static_cast<unsigned>(static_cast<int>(day.year())), 4) +
         digits(static_cast<unsigned>(day.month()), 2) +
         digits(static_cast<unsigned>(day.day()), 2);
}

bool IsDay(std::string_view id) {
  return id.size() == 8 && std::ranges::all_of(id, [](char c) { return c >= '0' && c <= '9'; });
}

template <KeyMaterial K>
KeyRing<K>::KeyRing(std::filesystem::path directory, CurrentKey rule, const Clock& clock,
                    Reloading reloading)
    : directory_(std::move(directory)),
      rule_(rule),
      clock_(clock),
      reloading_(reloading),
      keys_(Load({})) {
  last_reload_ = std::chrono::steady_clock::now();
  if (!CurrentOf(keys_)) throw KeyFault(directory_.string() + ": no key is current");
}

template <KeyMaterial K>
typename KeyRing<K>::Handle KeyRing<K>::Current() {
  Handle current;
  bool fresh = false;
  {
    const std::shared_lock lock(mutex_);
    current = CurrentOf(keys_);
    fresh = std::chrono::steady_clock::now() - last_reload_ < reloading_.at_least_every;
  }
  const bool is_todays =
      rule_ != CurrentKey::kOfTheDay || (current && current->id == DayOf(clock_.Now()));
  if (current && fresh && is_todays) return current;
  if (Reload()) {
    const std::shared_lock lock(mutex_);
    current = CurrentOf(keys_);
  }
  if (!current) throw KeyFault(directory_.string() + ": no key is current");
  return current;
}

template <KeyMaterial K>
typename KeyRing<K>::Handle KeyRing<K>::Find(std::string_view id) {
  Found found = FindLoaded(id);
  if ((!found.key || !found.is_fresh) && Reload()) found = FindLoaded(id);
  return found.key;
}

template <KeyMaterial K>
std::vector<typename KeyRing<K>::Handle> KeyRing<K>::All() const {
  const std::shared_lock lock(mutex_);
  std::vector<Handle> all;
  all.reserve(keys_.size());
  for (const auto& [id, key] : keys_) all.push_back(key);
  return all;
}

template <KeyMaterial K>
bool KeyRing<K>::Reload() {
  Keys known;
  {
    const std::unique_lock lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (now - last_reload_ < reloading_.at_most_every) return false;
    last_reload_ = now;
    known = keys_;
  }
  // Read without the lock: a slow disk must not stop those who have their key.
  try {
    Keys loaded = Load(known);
    const std::unique_lock lock(mutex_);
    keys_ = std::move(loaded);
    last_fault_.clear();
  } catch (const KeyFault& fault) {
    const std::unique_lock lock(mutex_);
    last_fault_ = fault.what();
    return false;
  }
  return true;
}

template <KeyMaterial K>
std::string KeyRing<K>::LastFault() const {
  const std::shared_lock lock(mutex_);
  return last_fault_;
}

template <KeyMaterial K>
typename KeyRing<K>::Keys KeyRing<K>::Load(const Keys& known) const {
  Keys keys;
  for (const KeyFile& file : ListKeyFiles(directory_)) {
    if (const auto found = known.find(file.id); found != known.end()) {
      keys.insert(*found);
      continue;
    }
    const Wiped content(ReadKeyFile(file.path));
    std::optional<K> material = K::FromKeyFile(content.view());
    if (!material) {
      throw KeyFault(file.path.string() + ": is no usable key (wrong kind or size, or an example)");
    }
    keys.emplace(file.id, std::make_shared<const Key>(Key{file.id, *std::move(material)}));
  }
  return keys;
}

template <KeyMaterial K>
typename KeyRing<K>::Handle KeyRing<K>::CurrentOf(const Keys& keys) const {
  if (rule_ == CurrentKey::kGreatestId) return keys.empty() ? nullptr : keys.rbegin()->second;
  const std::string today = DayOf(clock_.Now());
  for (auto key = keys.upper_bound(today); key != keys.begin();) {
    --key;
    if (IsDay(key->first)) return key->second;
  }
  return nullptr;
}

template <KeyMaterial K>
typename KeyRing<K>::Found KeyRing<K>::FindLoaded(std::string_view id) const {
  const std::shared_lock lock(mutex_);
  const auto found = keys_.find(id);
  return {.key = found == keys_.end() ? nullptr : found->second,
          .is_fresh = std::chrono::steady_clock::now() - last_reload_ < reloading_.at_least_every};
}

template class KeyRing<crypto::AesGcmKey>;
template class KeyRing<crypto::HmacSha256Key>;
template class KeyRing<crypto::EcPrivateKey>;

}  // namespace countersign::keystore
