#pragma once
#include <cstddef>
#include <deque>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace countersign::pg {

// First come, first served, but of each key at most one item is out (taken and not yet released) or
// ready to be taken; the others of that key wait behind it. Each operation is O(1) per item,
// however many items one key has. Not thread safe.
template <typename Item>
class KeyedQueue {
  using Keys = std::unordered_map<std::string, std::list<Item>>;

 public:
  // A key that is out or ready; stable until it is released.
  using Key = typename Keys::value_type;
  struct Entry {
    Key* key;  // null for an item pushed without a key
    Item item;
  };

  void Push(std::string key, Item item) {
    const auto [found, fresh] = keys_.try_emplace(std::move(key));
    if (fresh) {
      ready_.push_back({&*found, std::move(item)});
    } else {
      found->second.push_back(std::move(item));
    }
    ++queued_;
  }
  // An item that may be out together with any other.
  void PushFree(Item item) {
    ready_.push_back({nullptr, std::move(item)});
    ++queued_;
  }
  // An item that is out goes to the head of the queue; its key stays held.
  void PutBack(Entry entry) {
    ready_.push_front(std::move(entry));
    ++queued_;
  }
  // Up to `most` ready items in the order of arrival, all of different keys.
  [[nodiscard]] std::vector<Entry> Take(std::size_t most) {
    std::vector<Entry> taken;
    taken.reserve(std::min(most, ready_.size()));
    while (!ready_.empty() && taken.size() < most) {
      taken.push_back(std::move(ready_.front()));
      ready_.pop_front();
    }
    queued_ -= taken.size();
    return taken;
  }
  // The item that had `key` is done with; the next of that key becomes ready.
  void Release(Key* key) {
    if (key == nullptr) return;
    if (key->second.empty()) {
      keys_.erase(keys_.find(key->first));
      return;
    }
    ready_.push_back({key, std::move(key->second.front())});
    key->second.pop_front();
  }

  [[nodiscard]] bool HasReady() const { return !ready_.empty(); }
  // Items that are ready or wait behind their key.
  [[nodiscard]] std::size_t size() const { return queued_; }

 private:
  Keys keys_;
  std::deque<Entry> ready_;
  std::size_t queued_ = 0;
};

}  // namespace countersign::pg
