#pragma once
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>

namespace countersign::otp {

// Lets so many in at once, in the order they came. Thread safe.
class Turnstile {
 public:
  using Start = std::function<void()>;
  explicit Turnstile(std::size_t places) : free_(places) {}

  // `start` runs once there is a place, on this thread or on that of who leaves. It must not block.
  void Enter(Start start) {
    {
      const std::lock_guard lock(mutex_);
      if (free_ == 0) {
        waiting_.push_back(std::move(start));
        return;
      }
      --free_;
    }
    start();
  }
  void Leave() {
    Start next;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        ++free_;
        return;
      }
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    next();
  }

 private:
  std::mutex mutex_;
  std::size_t free_;
  std::deque<Start> waiting_;
};

}  // namespace countersign::otp
