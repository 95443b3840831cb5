#pragma once
#include <string>
#include <utility>

namespace countersign {

// A value that must not be printed: it has no operator<<, no fmt formatter and no comparison, so a
// log line or an error text that mentions it does not compile. Reading it is spelled out.
template <typename T>
class Secret {
 public:
  Secret() = default;
  explicit Secret(T value) : value_(std::move(value)) {}
  [[nodiscard]] const T& Reveal() const { return value_; }
  [[nodiscard]] bool Empty() const { return value_.empty(); }

 private:
  T value_;
};

}  // namespace countersign
