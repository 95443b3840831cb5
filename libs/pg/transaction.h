#pragma once
// The rare flow of several statements. Hot flows are one statement on a Batcher instead.
#include <type_traits>
#include <utility>

#include "libs/core/deadline.h"
#include "libs/core/result.h"
#include "libs/pg/connection.h"
#include "libs/pg/pool.h"

namespace countersign::pg {

// READ COMMITTED. Rolls back on destruction unless committed. Not thread safe.
class Transaction {
 public:
  // BEGIN, with what is left of `deadline` as the limit of each statement.
  Transaction(Connection& connection, Deadline deadline);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // As Connection::Execute; a connection lost here has done nothing.
  template <typename... Values>
  Rows Execute(const Query& query, const Values&... values) {
    try {
      return connection_.Execute(query, values...);
    } catch (const Unavailable& fault) {
      failed_ = true;
      ThrowNothingDone(fault);
    } catch (const Refused&) {
      failed_ = true;
      throw;
    }
  }
  // Throws Unavailable in doubt if the connection is lost meanwhile, Refused (25P02) if a statement
  // of the transaction was refused before.
  void Commit();

 private:
  [[noreturn]] static void ThrowNothingDone(const Unavailable& fault);
  Connection& connection_;
  bool open_ = true;
  bool failed_ = false;  // the server would answer COMMIT with ROLLBACK, and no error
};

inline constexpr int kTransactionTries = 3;

// Whether the whole may be run again after `fault`: it provably did nothing and another try may
// succeed (Conflict, a connection lost before COMMIT).
[[nodiscard]] bool MayRunAgain(const Fault& fault);

// Runs `work`, a function of Transaction& that returns a Result, in one transaction: commits on a
// value, rolls back on an Error. What must be remembered is therefore a value. `work` may run up to
// kTransactionTries times, so nothing may leave the process inside it. Faults are thrown.
template <typename Work>
[[nodiscard]] std::invoke_result_t<Work&, Transaction&> InTransaction(Pool& pool, Deadline deadline,
                                                                      Work work) {
  for (int attempt = 1;; ++attempt) {
    try {
      auto lease = pool.Acquire(deadline);
      if (!lease) return Fail(std::move(lease.error()));
      Transaction transaction(**lease, deadline);
      auto result = work(transaction);
      if (result) transaction.Commit();
      return result;
    } catch (const Fault& fault) {
      if (attempt == kTransactionTries || !MayRunAgain(fault) || TimeLeft(deadline).count() <= 0) {
        throw;
      }
    }
  }
}

}  // namespace countersign::pg
