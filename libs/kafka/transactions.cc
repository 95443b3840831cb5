// Transactions of the producer. The client library may be left by a fault in a state from which it
// cannot be brought back, so whoever meets one makes a new producer. That is also why no commit
// that ran out of time is taken up again: librdkafka 2.0.2 promises it, and then refuses or aborts.
#include <chrono>
#include <memory>
#include <string>

#include "libs/kafka/client.h"
#include "libs/kafka/producer.h"

namespace countersign::kafka {
namespace {

using std::chrono::milliseconds;

constexpr char kCommitting[] = "committing a transaction";

struct ErrorRelease {
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
};
using ErrorHandle = std::unique_ptr<rd_kafka_error_t, ErrorRelease>;

int Limit(milliseconds limit) { return static_cast<int>(limit.count()); }

// False if asking again may help.
bool Succeed(rd_kafka_error_t* answer, const std::string& doing) {
  const ErrorHandle error(answer);
  if (!error) return true;
  const auto code = rd_kafka_error_code(error.get());
  const std::string what = doing + ": " + Explain(code, rd_kafka_error_string(error.get()));
  if (rd_kafka_error_is_fatal(error.get()) != 0) throw FatalFault(code, what);
  if (rd_kafka_error_txn_requires_abort(error.get()) == 0 &&
      rd_kafka_error_is_retriable(error.get()) != 0) {
    return false;
  }
  throw Fault(code, what);
}

}  // namespace

bool Fault::IsFenced() const {
  return code_ == RD_KAFKA_RESP_ERR__FENCED || code_ == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
         code_ == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

bool Producer::TryFenceOthers(milliseconds limit) {
  return Succeed(rd_kafka_init_transactions(client_.get(), Limit(limit)),
                 "fencing earlier producers");
}

void Producer::BeginTransaction() {
  if (Succeed(rd_kafka_begin_transaction(client_.get()), "beginning a transaction")) return;
  throw Fault(RD_KAFKA_RESP_ERR__STATE, "beginning a transaction: the one before is not finished");
}

void Producer::Commit(milliseconds limit) {
  if (Succeed(rd_kafka_commit_transaction(client_.get(), Limit(limit)), kCommitting)) return;
  throw Fault(RD_KAFKA_RESP_ERR__TIMED_OUT, std::string(kCommitting) + ": no answer in time");
}

void Producer::Abort(milliseconds limit) {
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE);
  try {
    if (!Flush(limit, [](const Delivery&) {})) return;
    (void)Succeed(rd_kafka_abort_transaction(client_.get(), Limit(limit)), "aborting");
  } catch (const Fault&) {
    // Fenced, or no transaction is open: nothing is left to abort.
  }
}

}  // namespace countersign::kafka
