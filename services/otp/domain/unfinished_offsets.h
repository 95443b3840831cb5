#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "libs/core/clock.h"

namespace countersign::otp {

// The records of one partition that were taken up and are not finished, so that the offset to
// resume from is always that of the lowest one. Not thread safe.
class UnfinishedOffsets {
 public:
  // Gaps are fine (compaction, transactions). False, and nothing has changed, if the offset is not
  // above all that were begun.
  [[nodiscard]] bool Begin(std::int64_t offset, Instant appended_at);
  // The new offset to resume from, if it moved. An offset that never began or has finished moves
  // nothing.
  [[nodiscard]] std::optional<std::int64_t> Finish(std::int64_t offset);

  [[nodiscard]] std::size_t unfinished() const { return unfinished_; }
  // When the lowest unfinished record came into the topic.
  [[nodiscard]] std::optional<Instant> OldestAppended() const;

 private:
  struct Record {
    std::int64_t offset;
    Instant appended_at;
    bool finished = false;
  };
  std::deque<Record> records_;  // from the lowest unfinished on
  std::size_t unfinished_ = 0;
};

}  // namespace countersign::otp
