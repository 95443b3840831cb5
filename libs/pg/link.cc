#include "libs/pg/link.h"

#include <algorithm>

namespace countersign::pg {

bool Link::Ensure() {
  if (connection_ && connection_->Usable()) return true;
  const bool was_up = connection_ != nullptr;
  connection_.reset();
  const auto now = std::chrono::steady_clock::now();
  if (!was_up && now < next_try_) return false;
  try {
    connection_ = std::make_unique<Connection>(settings_);
    pause_ = kFirstReconnectPause;
    return true;
  } catch (const Unavailable&) {
    next_try_ = std::chrono::steady_clock::now() + pause_;
    pause_ = std::min(pause_ * 2, kLongestReconnectPause);
    return false;
  }
}

}  // namespace countersign::pg
