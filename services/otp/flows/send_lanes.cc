#include "services/otp/flows/send_lanes.h"

#include <utility>

#include "libs/core/invariant.h"

namespace countersign::otp {

void SendLanes::Enter(const SubjectId& subject, Start start) {
  {
    const std::lock_guard lock(mutex_);
    const auto [lane, fresh] = lanes_.try_emplace(subject);
    if (!fresh) {
      lane->second.push_back(std::move(start));
      return;
    }
    ready_.push_back(std::move(start));
  }
  StartReady();
}

void SendLanes::GiveSlotBack() {
  {
    const std::lock_guard lock(mutex_);
    ++free_;
  }
  StartReady();
}

void SendLanes::EnterAgain(Start start) {
  {
    const std::lock_guard lock(mutex_);
    ready_.push_front(std::move(start));
  }
  StartReady();
}

void SendLanes::Leave(const SubjectId& subject) {
  {
    const std::lock_guard lock(mutex_);
    const auto lane = lanes_.find(subject);
    Invariant(lane != lanes_.end(), "who leaves had entered");
    if (lane->second.empty()) {
      lanes_.erase(lane);
      return;
    }
    ready_.push_back(std::move(lane->second.front()));
    lane->second.pop_front();
  }
  StartReady();
}

void SendLanes::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

void SendLanes::Open() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = false;
  }
  StartReady();
}

// One thread at a time, so that a start that makes room does not start the next within itself.
void SendLanes::StartReady() {
  std::unique_lock lock(mutex_);
  if (starting_) return;
  starting_ = true;
  while (!closed_ && free_ > 0 && !ready_.empty()) {
    --free_;
    const Start start = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    start();
    lock.lock();
  }
  starting_ = false;
}

}  // namespace countersign::otp
