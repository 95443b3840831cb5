#pragma once
// Which transactions Kafka has completely, and so how far the slot may be confirmed: never past an
// event that is not acknowledged, whatever the order of the acknowledgements.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "libs/core/clock.h"
#include "libs/core/lsn.h"

namespace countersign::relay {

// Transactions open and close one after the other; their events are acknowledged in any order.
class Acknowledgements {
 public:
  using Token = std::uint64_t;  // the transaction of an event

  // More transactions than this are not opened: one silent partition must not let the record of
  // what the others acknowledged grow for ever. 24 bytes each.
  static constexpr std::size_t kMaxTransactions = 256 * 1024;

  // Held back, what is acknowledged does not count before Release.
  explicit Acknowledgements(Lsn confirmed, bool held_back = false)
      : released_(held_back ? 0 : UINT64_MAX),
        held_back_(held_back),
        confirmed_(confirmed),
        passed_(confirmed) {}

  [[nodiscard]] bool Full() const { return transactions_.size() >= kMaxTransactions; }

  // A transaction begins; only one is open at a time.
  void Open(Instant commit_time);
  // The token for the open transaction's next event, which then counts as in flight.
  [[nodiscard]] Token AddEvent();
  // Kafka did not take the event just added.
  void TakeBack();
  // The open transaction is complete; `end` is where to resume once all of it is acknowledged.
  void Close(Lsn end);

  // One event of that transaction is in Kafka. Returns when the transaction was committed.
  Instant Acknowledge(Token token);
  // Nothing of ours lies before `position` but what was opened until now: counts as soon as that is
  // acknowledged.
  void Pass(Lsn position);
  // The transactions that were closed until now count as soon as they are acknowledged.
  void Release();

  // The token of the oldest transaction that is not acknowledged completely, and that of the next
  // one to be opened.
  [[nodiscard]] Token FirstUnfinished() const { return first_; }
  [[nodiscard]] Token NextTransaction() const { return first_ + transactions_.size(); }

  // Resuming here loses nothing. Never goes back.
  [[nodiscard]] Lsn Confirmed() const { return confirmed_; }
  // Nothing of ours lies before it but what was opened until now.
  [[nodiscard]] Lsn Reached() const { return std::max(closed_, passed_); }
  // No transaction is open and everything is acknowledged.
  [[nodiscard]] bool Idle() const { return transactions_.empty(); }
  [[nodiscard]] bool HasOpen() const { return open_; }
  [[nodiscard]] std::size_t InFlight() const { return in_flight_; }
  // When the open transaction was committed.
  [[nodiscard]] Instant CommitTime() const;
  // When the oldest transaction that is not confirmed was committed.
  [[nodiscard]] std::optional<Instant> Oldest() const;

 private:
  struct Transaction {
    Lsn end;  // 0 while open
    Instant commit_time;
    std::size_t remaining = 0;
  };
  void Settle();

  std::deque<Transaction> transactions_;  // in commit order; the last one may be open
  Token first_ = 0;                       // token of transactions_.front()
  Token released_;                        // those before it count
  bool held_back_;
  bool open_ = false;
  std::size_t in_flight_ = 0;
  Lsn confirmed_;
  Lsn closed_;  // end of the transaction that was closed last
  Lsn passed_;
};

}  // namespace countersign::relay
