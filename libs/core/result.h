#pragma once
// Expected refusals are values: a function that may refuse returns Result<T>. Faults (a broken
// connection, a bug) are exceptions and are caught only at the edges of a process.
#include <chrono>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "libs/core/reasons.h"

namespace countersign {

struct Error {
  const Reason* reason = &reasons::kInternal;  // never null
  std::string field{};                         // request field at fault, if it is one field's fault
  std::string detail{};                        // for our logs only; never holds a secret
  std::chrono::milliseconds retry_after{0};    // > 0: the earliest useful retry from now

  [[nodiscard]] ErrorKind kind() const { return reason->kind; }
};

template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

// return Fail(reasons::kResendTooSoon, {.retry_after = wait});
struct ErrorContext {
  std::string field{};
  std::string detail{};
  std::chrono::milliseconds retry_after{0};
};
[[nodiscard]] inline tl::unexpected<Error> Fail(const Reason& reason, ErrorContext context = {}) {
  return tl::unexpected<Error>(
      Error{&reason, std::move(context.field), std::move(context.detail), context.retry_after});
}
[[nodiscard]] inline tl::unexpected<Error> Fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace countersign
