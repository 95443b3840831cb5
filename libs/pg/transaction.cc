#include "libs/pg/transaction.h"

#include <fmt/format.h>

#include <algorithm>

namespace countersign::pg {

Transaction::Transaction(Connection& connection, Deadline deadline) : connection_(connection) {
  const auto limit = std::max<long>(1, TimeLeft(deadline).count());
  try {
    connection_.ExecuteScript(fmt::format(
        "BEGIN; SELECT set_config('statement_timeout', least({}, nullif(extract(epoch FROM "
        "current_setting('statement_timeout')::interval) * 1000, 0))::int::text, true)",
        limit));
  } catch (const Unavailable& fault) {
    ThrowNothingDone(fault);
  }
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    connection_.ExecuteScript("ROLLBACK");
  } catch (const Fault&) {  // the connection is lost, and with it the transaction
  }
}

void Transaction::Commit() {
  if (failed_) throw Refused("COMMIT: a statement of this transaction was refused", "25P02");
  open_ = false;
  connection_.ExecuteScript("COMMIT");
}

void Transaction::ThrowNothingDone(const Unavailable& fault) {
  throw Unavailable(fault.what(), fault.sqlstate(), Unavailable::Outcome::kNothingDone);
}

bool MayRunAgain(const Fault& fault) {
  if (const auto* lost = dynamic_cast<const Unavailable*>(&fault)) return !lost->InDoubt();
  return dynamic_cast<const Conflict*>(&fault) != nullptr;
}

}  // namespace countersign::pg
