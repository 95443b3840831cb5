#include "services/outbox-relay/domain/settling.h"

#include <algorithm>
#include <utility>

#include "services/outbox-relay/domain/snapshot.h"

namespace countersign::relay {
void Settling::Read(std::uint32_t xid) {
  if (recent_.size() < kRemembered) {
    recent_.push_back(xid);
    return;
  }
  recent_[oldest_] = xid;
  oldest_ = (oldest_ + 1) % kRemembered;
}

void Settling::Asked(Offsets now) {
  news_ = false;
  asked_ = true;
  offsets_ = std::move(now);
}

void Settling::Taken(std::optional<TakenSnapshot> taken) {
  if (!asked_) return;
  if (!taken || MayHideWhatWasRead(taken->snapshot)) {
    asked_ = false;
    news_ = true;
    return;
  }
  taken_ = std::move(taken);
}

bool Settling::Confirm(Lsn confirmed) {
  if (!Settles(confirmed)) return false;
  point_ = SettledPoint{.snapshot = std::move(taken_->snapshot), .offsets = std::move(offsets_)};
  taken_.reset();
  asked_ = false;
  return true;
}

bool Settling::MayHideWhatWasRead(const std::string& snapshot) {
  const auto numbers = ReadSnapshot(snapshot);
  if (!numbers) return true;
  if (!first_of_ours_) first_of_ours_ = numbers->xmax;
  return std::ranges::any_of(numbers->running, [&](std::uint64_t xid) {
    // The stream tells 32 of its 64 bits.
    return xid < *first_of_ours_ ||
           std::ranges::find(recent_, static_cast<std::uint32_t>(xid)) != recent_.end();
  });
}

}  // namespace countersign::relay
