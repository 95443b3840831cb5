#pragma once
// How the snapshot that ends a batch of the tables becomes a settled point: when Kafka has all that
// was read until then, and a crash of the server cannot make it untrue any more.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "libs/core/lsn.h"
#include "services/outbox-relay/domain/checkpoint.h"
#include "services/outbox-relay/domain/settling.h"

namespace countersign::relay {

class BatchSettling {
 public:
  explicit BatchSettling(std::optional<SettledPoint> begin) : point_(std::move(begin)) {}

  // Everything visible in `taken` was read. `now` is where Kafka stands, before anything else is
  // sent; transactions before `read_until` bring what was read.
  void Read(TakenSnapshot taken, Offsets now, std::uint64_t read_until);
  // The server's WAL is on disk up to there.
  void Flushed(Lsn flushed);

  // Everything before transaction `unfinished` is acknowledged. True if there is a new point.
  bool Confirm(std::uint64_t unfinished);
  [[nodiscard]] bool Settles(std::uint64_t unfinished) const;
  // Something was read that the point does not cover.
  [[nodiscard]] bool Waits() const { return pending_.has_value(); }
  [[nodiscard]] const std::optional<SettledPoint>& point() const { return point_; }

 private:
  struct Mark {
    SettledPoint point;
    Lsn written;
    std::uint64_t read_until = 0;
  };
  std::optional<Mark> pending_;
  std::optional<Mark> next_;  // the newest read after it
  Lsn flushed_;
  std::optional<SettledPoint> point_;
};

}  // namespace countersign::relay
