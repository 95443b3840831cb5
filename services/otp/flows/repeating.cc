#include "services/otp/flows/repeating.h"

#include <utility>

namespace countersign::otp {

Repeating::Repeating(std::chrono::milliseconds pause, std::function<void()> what)
    : thread_([this, pause, what = std::move(what)](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          what();
          std::unique_lock lock(mutex_);
          stopped_.wait_for(lock, stop, pause, [] { return false; });
        }
      }) {}

void Repeating::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace countersign::otp
