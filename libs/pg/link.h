#pragma once
#include <chrono>
#include <memory>

#include "libs/pg/connection.h"

namespace countersign::pg {

inline constexpr std::chrono::milliseconds kFirstReconnectPause{50};
inline constexpr std::chrono::milliseconds kLongestReconnectPause{1'000};

// A connection that its one thread replaces when it is lost, not more often than the pause between
// two failed tries allows. Not thread safe.
class Link {
 public:
  explicit Link(const ConnectionSettings& settings) : settings_(settings) {}

  // True if there is a usable connection, made now if need be.
  [[nodiscard]] bool Ensure();
  [[nodiscard]] bool up() const { return connection_ != nullptr; }
  [[nodiscard]] Connection& operator*() const { return *connection_; }
  void Drop() { connection_.reset(); }
  // Ensure() tries to connect from then on.
  [[nodiscard]] std::chrono::steady_clock::time_point next_try() const { return next_try_; }

 private:
  const ConnectionSettings& settings_;
  std::unique_ptr<Connection> connection_;
  std::chrono::steady_clock::time_point next_try_{};
  std::chrono::milliseconds pause_ = kFirstReconnectPause;
};

}  // namespace countersign::pg
