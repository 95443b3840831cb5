#pragma once
// How far the WAL is out of danger: what a standby has on disk survives a failover to it.
#include <optional>

#include "libs/core/lsn.h"

namespace countersign::relay {

// Made of looks at the primary. A standby may have half of a record, so only ends of records count.
class StandbyPosition {
 public:
  // `written`: where the primary's WAL ends, the end of a record; `flushed`: what the last of the
  // standbys has on disk, empty if one of them has never connected.
  void Looked(Lsn written, std::optional<Lsn> flushed);
  // Every standby has all records before it.
  [[nodiscard]] Lsn safe() const { return safe_; }

 private:
  Lsn safe_;
  std::optional<Lsn> awaited_;  // an end that the standbys had not reached
};

}  // namespace countersign::relay
