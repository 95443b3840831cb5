#pragma once
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "libs/core/deadline.h"
#include "libs/core/result.h"
#include "libs/pg/connection.h"

namespace countersign::pg {

// How many connections, and who may wait for one.
struct PoolOptions {
  std::size_t connections = 4;
  std::size_t max_waiting = 256;  // callers without a connection; more get OVERLOADED
};

// A bounded set of connections, made on demand and kept. Thread safe. Leases must be gone before
// the pool.
class Pool {
 public:
  explicit Pool(ConnectionSettings settings, PoolOptions options = {});

  // A connection on loan; given back on destruction, or dropped if it is no longer usable.
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Connection& operator*() const { return *connection_; }
    Connection* operator->() const { return connection_.get(); }

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  // Waits for a connection until `deadline`. Refuses with OVERLOADED or DEADLINE_EXCEEDED; throws
  // Unavailable if a new one cannot be made.
  [[nodiscard]] Result<Lease> Acquire(Deadline deadline);

 private:
  void GiveBack(std::unique_ptr<Connection> connection);

  const ConnectionSettings settings_;
  const PoolOptions options_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Connection>> idle_;  // guarded by mutex_, as the next two
  std::size_t lent_ = 0;
  std::size_t waiting_ = 0;
};

}  // namespace countersign::pg
