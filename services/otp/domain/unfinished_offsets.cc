#include "services/otp/domain/unfinished_offsets.h"

#include <algorithm>

namespace countersign::otp {

bool UnfinishedOffsets::Begin(std::int64_t offset, Instant appended_at) {
  if (!records_.empty() && records_.back().offset >= offset) return false;
  records_.push_back({offset, appended_at});
  ++unfinished_;
  return true;
}

std::optional<std::int64_t> UnfinishedOffsets::Finish(std::int64_t offset) {
  const auto found = std::ranges::lower_bound(records_, offset, {}, &Record::offset);
  if (found == records_.end() || found->offset != offset || found->finished) return std::nullopt;
  found->finished = true;
  --unfinished_;
  if (!records_.front().finished) return std::nullopt;
  std::int64_t next = 0;
  while (!records_.empty() && records_.front().finished) {
    next = records_.front().offset + 1;
    records_.pop_front();
  }
  return next;
}

std::optional<Instant> UnfinishedOffsets::OldestAppended() const {
  if (records_.empty()) return std::nullopt;
  return records_.front().appended_at;
}

}  // namespace countersign::otp
