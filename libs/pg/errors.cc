#include "libs/pg/errors.h"

#include <fmt/format.h>

namespace countersign::pg {
namespace {

// Class 22 (data exceptions) quotes the offending value in its primary message.
bool MayQuoteAValue(std::string_view sqlstate) { return sqlstate.starts_with("22"); }

// The server ends connections of itself with these, in the middle of a statement or at its end.
bool EndsTheConnection(std::string_view sqlstate) {
  return sqlstate.starts_with("08") || sqlstate == "57P01" || sqlstate == "57P02" ||
         sqlstate == "57P03" || sqlstate == "57P05" || sqlstate == "25P03";
}

}  // namespace

Error ToError(const Fault& fault) {
  const Reason* reason = &reasons::kInternal;
  std::string field;
  if (const auto* lost = dynamic_cast<const Unavailable*>(&fault)) {
    reason = lost->InDoubt() ? &reasons::kOutcomeUnknown : &reasons::kDependencyUnavailable;
  } else if (dynamic_cast<const LockTimeout*>(&fault) != nullptr ||
             dynamic_cast<const StatementTimeout*>(&fault) != nullptr ||
             dynamic_cast<const Conflict*>(&fault) != nullptr ||
             fault.sqlstate().starts_with("53")) {  // out of disk, memory, connections
    reason = &reasons::kDependencyUnavailable;
  } else if (dynamic_cast<const InvalidText*>(&fault) != nullptr) {
    reason = &reasons::kFieldInvalid;
  }
  return Error{reason, std::move(field), fault.what(), {}};
}

void ThrowRefusal(std::string_view query, std::string_view sqlstate, std::string_view message,
                  bool broken) {
  const std::string what = fmt::format(
      "{}: SQLSTATE {}: {}", query, sqlstate,
      MayQuoteAValue(sqlstate) ? "data exception" : message.substr(0, message.find('\n')));
  if (broken || EndsTheConnection(sqlstate)) {
    throw Unavailable(what, sqlstate, Unavailable::Outcome::kInDoubt);
  }
  if (sqlstate == "23505") throw UniqueViolation(what, sqlstate);
  if (sqlstate == "55P03") throw LockTimeout(what, sqlstate);
  if (sqlstate == "57014") throw StatementTimeout(what, sqlstate);
  if (sqlstate == "40001" || sqlstate == "40P01") throw Conflict(what, sqlstate);
  throw Refused(what, sqlstate);
}

}  // namespace countersign::pg
