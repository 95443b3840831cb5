#include "services/outbox-relay/domain/acknowledgements.h"

#include "libs/core/invariant.h"

namespace countersign::relay {

void Acknowledgements::Open(Instant commit_time) {
  Invariant(!open_, "a transaction opens after the one before it closed");
  transactions_.push_back({.end = {}, .commit_time = commit_time});
  open_ = true;
}

Acknowledgements::Token Acknowledgements::AddEvent() {
  Invariant(open_, "an event belongs to an open transaction");
  ++transactions_.back().remaining;
  ++in_flight_;
  return first_ + transactions_.size() - 1;
}

void Acknowledgements::TakeBack() {
  Invariant(open_ && transactions_.back().remaining > 0, "only an added event is taken back");
  --transactions_.back().remaining;
  --in_flight_;
}

void Acknowledgements::Close(Lsn end) {
  Invariant(open_, "only an open transaction closes");
  transactions_.back().end = end;
  closed_ = std::max(closed_, end);
  open_ = false;
  Settle();
}

Instant Acknowledgements::Acknowledge(Token token) {
  Invariant(token >= first_ && token - first_ < transactions_.size(),
            "an acknowledged event is in flight");
  Transaction& transaction = transactions_[token - first_];
  Invariant(transaction.remaining > 0, "an event is acknowledged once");
  const Instant commit_time = transaction.commit_time;
  --transaction.remaining;
  --in_flight_;
  Settle();
  return commit_time;
}

void Acknowledgements::Pass(Lsn position) {
  passed_ = position;
  Settle();
}

void Acknowledgements::Release() {
  if (!held_back_) return;
  released_ = NextTransaction() - (open_ ? 1 : 0);
  Settle();
}

Instant Acknowledgements::CommitTime() const {
  Invariant(open_, "only an open transaction has a time of its own");
  return transactions_.back().commit_time;
}

std::optional<Instant> Acknowledgements::Oldest() const {
  if (transactions_.empty()) return std::nullopt;
  return transactions_.front().commit_time;
}

void Acknowledgements::Settle() {
  while (!transactions_.empty() && transactions_.front().remaining == 0 &&
         transactions_.front().end.value != 0 && first_ < released_) {
    if (transactions_.front().end > confirmed_) confirmed_ = transactions_.front().end;
    transactions_.pop_front();
    ++first_;
  }
  if (transactions_.empty() && passed_ > confirmed_) confirmed_ = passed_;
}

}  // namespace countersign::relay
