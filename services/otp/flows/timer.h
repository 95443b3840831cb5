#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>

namespace countersign::otp {

// Runs things later, one after the other, on a thread of its own: they must not block. Thread safe.
class Timer {
 public:
  Timer();
  // As Stop().
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void After(std::chrono::milliseconds delay, std::function<void()> what);
  // What waits never runs; what runs now is waited for. Not from within.
  void Stop();

 private:
  void Serve(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  // Guarded by mutex_.
  std::multimap<std::chrono::steady_clock::time_point, std::function<void()>> due_;
  std::jthread thread_;  // last: it uses everything above
};

}  // namespace countersign::otp
