#include "services/outbox-relay/domain/batch_settling.h"

#include <algorithm>

namespace countersign::relay {
namespace {

// At the end of a page the position where the next record begins lies behind the next page's
// header, which is no record and is not flushed by itself.
Lsn BehindPageHeader(Lsn flushed) {
  constexpr std::uint64_t kPage = 8192;
  constexpr std::uint64_t kLongestHeader = 40;
  return flushed.value % kPage == 0 ? Lsn{flushed.value + kLongestHeader} : flushed;
}

}  // namespace

void BatchSettling::Read(TakenSnapshot taken, Offsets now, std::uint64_t read_until) {
  Mark mark{.point = {.snapshot = std::move(taken.snapshot), .offsets = std::move(now)},
            .written = taken.written,
            .read_until = read_until};
  (pending_ ? next_ : pending_) = std::move(mark);
}

void BatchSettling::Flushed(Lsn flushed) { flushed_ = std::max(flushed_, flushed); }

// Transactions that ended and are not on disk are forgotten by a crash, and their numbers are given
// to others: the snapshot would hide those.
bool BatchSettling::Settles(std::uint64_t unfinished) const {
  return pending_ && unfinished >= pending_->read_until &&
         BehindPageHeader(flushed_) >= pending_->written;
}

bool BatchSettling::Confirm(std::uint64_t unfinished) {
  bool news = false;
  while (Settles(unfinished)) {
    point_ = std::move(pending_->point);
    pending_ = std::exchange(next_, std::nullopt);
    news = true;
  }
  return news;
}

}  // namespace countersign::relay
