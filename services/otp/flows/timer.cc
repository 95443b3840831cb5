#include "services/otp/flows/timer.h"

#include <utility>

namespace countersign::otp {

Timer::Timer() : thread_([this](const std::stop_token& stop) { Serve(stop); }) {}

Timer::~Timer() { Stop(); }

void Timer::After(std::chrono::milliseconds delay, std::function<void()> what) {
  const std::lock_guard lock(mutex_);
  due_.emplace(std::chrono::steady_clock::now() + delay, std::move(what));
  changed_.notify_one();
}

void Timer::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void Timer::Serve(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (due_.empty()) {
      changed_.wait(lock, stop, [this] { return !due_.empty(); });
      continue;
    }
    const auto first = due_.begin()->first;
    if (first > std::chrono::steady_clock::now()) {
      changed_.wait_until(lock, stop, first, [&] { return due_.begin()->first < first; });
      continue;
    }
    const auto what = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    lock.unlock();
    what();
    lock.lock();
  }
}

}  // namespace countersign::otp
