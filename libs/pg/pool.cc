#include "libs/pg/pool.h"

#include <utility>

namespace countersign::pg {

Pool::Pool(ConnectionSettings settings, PoolOptions options)
    : settings_(std::move(settings)), options_(options) {
  static_cast<void>(FullConninfo(settings_));  // a malformed one is told now
}

Result<Pool::Lease> Pool::Acquire(Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (lent_ >= options_.connections) {
    if (waiting_ >= options_.max_waiting) return Fail(reasons::kOverloaded);
    ++waiting_;
    const bool free =
        returned_.wait_until(lock, deadline, [this] { return lent_ < options_.connections; });
    --waiting_;
    if (!free) return Fail(reasons::kDeadlineExceeded, {.detail = "no free database connection"});
  }
  ++lent_;
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->Usable()) return Lease(*this, std::move(connection));
  }
  lock.unlock();
  try {
    return Lease(*this, std::make_unique<Connection>(settings_));
  } catch (...) {
    GiveBack(nullptr);
    throw;
  }
}

void Pool::GiveBack(std::unique_ptr<Connection> connection) {
  if (connection && !connection->Usable()) connection.reset();
  {
    const std::lock_guard lock(mutex_);
    --lent_;
    if (connection) idle_.push_back(std::move(connection));
  }
  returned_.notify_one();
}

Pool::Lease::~Lease() {
  if (connection_) pool_->GiveBack(std::move(connection_));
}

}  // namespace countersign::pg
