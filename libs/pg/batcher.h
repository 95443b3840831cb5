#pragma once
// Group commit: hot commands of many callers share one set-based statement and so one transaction.
// ADR 0002 has the reasons for each rule.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "libs/core/deadline.h"
#include "libs/core/invariant.h"
#include "libs/core/result.h"
#include "libs/pg/connection.h"
#include "libs/pg/keyed_queue.h"
#include "libs/pg/link.h"

namespace countersign::pg {

// The snapshot of this statement could not decide the command (another transaction committed in
// between): run it once more with the next batch.
struct TryAgain {
  explicit TryAgain() = default;
};
// return answer;  return Fail(reasons::kCodeRejected);  return pg::TryAgain{};
template <typename Answer>
using Outcome = std::variant<Result<Answer>, TryAgain>;

// How long an idle worker may take its connection for good. One poll(2) each.
inline constexpr std::chrono::seconds kIdleCheck{1};

struct BatchReport {
  std::size_t commands;
  std::chrono::nanoseconds took;
  bool failed;
};

struct BatcherOptions {
  std::size_t connections = 3;        // one thread each
  std::size_t retry_connections = 2;  // for rows of a failed batch, connected when first needed
  std::size_t max_batch = 64;
  // After a batch of at least `crowd` commands, one smaller than `worth_a_batch` waits for more,
  // but no longer than `gathering`. Where callers are few, nobody waits for company.
  std::size_t crowd = 4;
  std::size_t worth_a_batch = 16;
  std::chrono::microseconds gathering{1000};
  std::size_t max_queue = 4096;  // accepted and not yet taken; more get OVERLOADED
  // Of each key at most one command is in flight, and a batch is sorted by key. False for reads:
  // then keys are ignored.
  bool distinct_keys = true;
  // The next command of a key runs only when the one before it has been answered. Else their
  // answers, which come from several threads, may overtake each other.
  bool answers_in_order = false;
  // The statement changes nothing, so after a lost connection it is simply run again, once.
  bool read_only = false;
  // How long a command that met a held row by itself goes on trying, each time for one lock_timeout
  // and after all that may meet none. Its deadline may end that sooner.
  std::chrono::milliseconds patience{3'000};
  // Called after each statement on its thread, for metrics; must not block.
  std::function<void(const BatchReport&)> observe{};
};

// Takes what is queued; an idle batcher never waits for more, so a batch of one is the ordinary
// case. Thread safe.
//
// What a caller may be told, besides the answers of `statement`: OVERLOADED (queue full),
// DEADLINE_EXCEEDED (never sent), DEPENDENCY_UNAVAILABLE (provably nothing done), OUTCOME_UNKNOWN
// (connection lost on the way, and `lookup` could not find it), FIELD_INVALID and INTERNAL (the
// server refused this very command, or ToError).
template <typename Command, typename Answer>
class Batcher {
 public:
  // Runs on the batcher's thread, or on the submitter's if the command is refused at once. Must not
  // block nor throw.
  using Done = std::function<void(Result<Answer>)>;

  struct Work {
    // Runs ONE statement over the commands (at least one, at most max_batch) and returns an outcome
    // for each, in their order. Several Execute calls are allowed only if each may be repeated.
    // Faults pass through it. Called from several threads, each with a connection of its own.
    std::function<std::vector<Outcome<Answer>>(Connection&, std::span<const Command>)> statement;
    // After a connection was lost: finds out by the ids drawn beforehand what became of each
    // command; empty for what cannot be found (the lost backend may still be at work, so absence
    // proves nothing). Without it all are OUTCOME_UNKNOWN.
    std::function<std::vector<std::optional<Result<Answer>>>(Connection&, std::span<const Command>)>
        lookup{};
    // Refuses a command before it is queued (NUL, length). Runs on the submitter's thread.
    std::function<std::optional<Error>(const Command&)> check{};
  };

  // Connects in the background. Throws std::invalid_argument for a malformed conninfo.
  Batcher(ConnectionSettings settings, BatcherOptions options, Work work);
  // As Stop().
  ~Batcher() { Stop(); }
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // `key` names the row that commands of the same key contend for (number, challenge, session).
  void Submit(std::string key, Command command, Deadline deadline, Done done);

  // Refuses new commands, answers all accepted ones, ends the threads. Returns when every `done`
  // has returned; the commands' own deadlines bound the wait. Idempotent; not from within `done`.
  void Stop();

  // Commands accepted and not yet taken.
  [[nodiscard]] std::size_t queued() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }
  // Connections that are up, or were a second ago; 0 means that every command is refused right now.
  // For /healthz.
  [[nodiscard]] std::size_t connected() const {
    const std::lock_guard lock(mutex_);
    return connected_;
  }

 private:
  struct Pending {
    Command command;
    Deadline deadline;
    Done done;
    bool tried_again = false;  // had its TryAgain
    bool resent = false;       // had its second connection
    Deadline gives_up{};       // on a held row; the epoch until it met one by itself
  };
  using Entry = typename KeyedQueue<Pending>::Entry;
  using Key = typename KeyedQueue<Pending>::Key;
  // The commands lie together for the statement's span; tickets[i] is the rest of commands[i].
  struct Ticket {
    Key* key;
    Deadline deadline;
    Done done;
    bool tried_again;
    bool resent;
    Deadline gives_up;
  };
  struct Batch {
    std::vector<Command> commands;
    std::vector<Ticket> tickets;
    bool alone = false;  // a row of a failed batch, retried by itself
  };
  // What is to be done with the commands of a batch, filled under no lock.
  struct Settlement {
    std::vector<std::pair<Done, Result<Answer>>> answers;
    std::vector<Key*> released;
    std::vector<Entry> put_back;
    std::vector<Entry> alone;
    std::vector<Entry> blocked;
  };

  void Serve(const std::stop_token& stop);
  void ServeAlone();
  [[nodiscard]] bool WaitForWork(std::unique_lock<std::mutex>& lock, Link& link);
  void SetConnected(bool& counted, bool up);
  // The commands at hand need not wait for company.
  [[nodiscard]] bool WorthABatch() const {
    return last_batch_ < options_.crowd || queue_.size() >= options_.worth_a_batch;
  }
  [[nodiscard]] bool Finished() const { return stopping_ && open_ == 0; }
  void WakeAll();

  [[nodiscard]] Batch Form(std::vector<Entry> entries, Settlement& settlement);
  void Run(Link& link, Batch batch, Settlement& settlement);
  void Resolve(Link& link, Batch batch, const Unavailable& fault, Settlement& settlement);
  void Decide(Batch batch, std::vector<Outcome<Answer>> outcomes, Settlement& settlement);
  void Separate(Batch batch, const Fault& fault, Settlement& settlement);
  void TryLater(Batch batch, const Fault& fault, Settlement& settlement);
  void SendAgain(Batch batch, const Error& otherwise, Settlement& settlement);
  void AnswerAll(Batch& batch, const Error& error, Settlement& settlement);
  static void Settle(Ticket& ticket, Result<Answer> answer, Settlement& settlement);
  static Entry Reopen(Ticket& ticket, Command& command);
  void Finish(Settlement& settlement);

  const ConnectionSettings settings_;
  const BatcherOptions options_;
  const Work work_;

  mutable std::mutex mutex_;
  std::condition_variable ready_;        // an idle connected worker may see to the queue
  std::condition_variable company_;      // the one that gathers need not wait any longer
  std::condition_variable down_;         // as ready_, for workers without a connection
  std::condition_variable alone_ready_;  // commands that run by themselves
  // Guarded by mutex_.
  KeyedQueue<Pending> queue_;
  std::deque<Entry> alone_;    // of failed batches
  std::deque<Entry> blocked_;  // met a held row by themselves; tried when none of alone_ is left
  std::size_t open_ = 0;       // accepted and not yet answered
  std::size_t connected_ = 0;
  std::size_t last_batch_ = 0;  // commands of the one taken last
  bool gathering_ = false;      // a worker waits for company; the idle ones leave the queue to it
  bool stopping_ = false;

  std::vector<std::jthread> threads_;  // last: they use everything above
};

}  // namespace countersign::pg

#include "libs/pg/batcher_inline.h"
