#pragma once
// What PostgreSQL or the way to it did wrong, as exceptions: faults are caught at the edges only.
// An expected conflict is asked for in SQL (ON CONFLICT DO NOTHING RETURNING), not caught.
//
// what() names the query and the SQLSTATE and has the server's primary message only where that
// cannot quote a value of ours, so it is fit for a log.
#include <stdexcept>
#include <string>
#include <string_view>

#include "libs/core/result.h"

namespace countersign::pg {

class Fault : public std::runtime_error {
 public:
  Fault(const std::string& what, std::string_view sqlstate)
      : std::runtime_error(what), sqlstate_(sqlstate) {}
  // Five characters, or empty if the server did not say.
  [[nodiscard]] const std::string& sqlstate() const { return sqlstate_; }

 private:
  std::string sqlstate_;
};

// The connection is lost or could not be made; it is of no more use.
class Unavailable final : public Fault {
 public:
  enum class Outcome {
    kNothingDone,  // provably: the statement never left, or its transaction cannot have committed
    kInDoubt,      // it may or may not have been committed; never retry it blindly
  };
  Unavailable(const std::string& what, std::string_view sqlstate, Outcome outcome)
      : Fault(what, sqlstate), outcome_(outcome) {}
  [[nodiscard]] bool InDoubt() const { return outcome_ == Outcome::kInDoubt; }

 private:
  Outcome outcome_;
};

// The server refused the statement and rolled it back; the connection is good.
class Refused : public Fault {
 public:
  using Fault::Fault;
};
class UniqueViolation final : public Refused {  // 23505
 public:
  using Refused::Refused;
};
class LockTimeout final : public Refused {  // 55P03
 public:
  using Refused::Refused;
};
class StatementTimeout final : public Refused {  // 57014
 public:
  using Refused::Refused;
};
// 40001 and 40P01 (deadlock): the same statement may well succeed when it is run again.
class Conflict final : public Refused {
 public:
  using Refused::Refused;
};

// A value that must not reach the server: NUL or invalid UTF-8 in a text. libpq would cut the text
// at the NUL without a word.
class InvalidText final : public Fault {
 public:
  explicit InvalidText(const std::string& what) : Fault(what, "") {}
};

// The result does not look as the code expects: no such column, NULL, another type.
class UnexpectedResult final : public Fault {
 public:
  explicit UnexpectedResult(const std::string& what) : Fault(what, "") {}
};

// What a caller is told of a fault, for the edges: OUTCOME_UNKNOWN when in doubt,
// DEPENDENCY_UNAVAILABLE for a lost connection, a timeout or a conflict, FIELD_INVALID for
// InvalidText, else INTERNAL. The detail is what().
[[nodiscard]] Error ToError(const Fault& fault);

// The exception for what the server reported; `broken` if the connection did not survive it.
[[noreturn]] void ThrowRefusal(std::string_view query, std::string_view sqlstate,
                               std::string_view message, bool broken);

}  // namespace countersign::pg
