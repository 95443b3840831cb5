#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace countersign::otp {

// Does something at once and then again and again, with a pause in between, on a thread of its own.
class Repeating {
 public:
  Repeating(std::chrono::milliseconds pause, std::function<void()> what);
  // Waits for what runs now.
  ~Repeating() = default;
  Repeating(const Repeating&) = delete;
  Repeating& operator=(const Repeating&) = delete;

  // Begins nothing more and waits for what runs now. Idempotent.
  void Stop();

 private:
  std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::jthread thread_;  // last: it uses everything above
};

}  // namespace countersign::otp
