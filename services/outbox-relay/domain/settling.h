#pragma once
// How a snapshot of the database becomes a settled point: first the offsets are noted, then the
// snapshot is taken, and when Kafka has everything that was written until then, both are true.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libs/core/lsn.h"
#include "services/outbox-relay/domain/checkpoint.h"

namespace countersign::relay {

// What the database said: `written` is a position of its WAL behind everything visible in
// `snapshot`.
struct TakenSnapshot {
  std::string snapshot;
  Lsn written;
};

class Settling {
 public:
  explicit Settling(std::optional<SettledPoint> begin = {}) : point_(std::move(begin)) {}

  // A transaction came in the stream.
  void Read(std::uint32_t xid);
  // Something is in Kafka that the settled point does not cover.
  void News() { news_ = true; }

  [[nodiscard]] bool WantsSnapshot() const { return news_ && !asked_; }
  // One is going to be taken; `now` is where Kafka stands before.
  void Asked(Offsets now);
  // Or none was to be had, and is asked for again.
  void Taken(std::optional<TakenSnapshot> taken);

  // Kafka has everything before `confirmed`. True if there is a new point.
  bool Confirm(Lsn confirmed);
  [[nodiscard]] bool Settles(Lsn confirmed) const { return taken_ && confirmed >= taken_->written; }
  [[nodiscard]] const std::optional<SettledPoint>& point() const { return point_; }

 private:
  // A transaction may be streamed before other sessions see it, for as long as it waits for a
  // synchronous standby. Such a one would not be visible in the snapshot and yet lie before the
  // offsets. Of those that an earlier relay may have read only the age is known.
  [[nodiscard]] bool MayHideWhatWasRead(const std::string& snapshot);

  static constexpr std::size_t kRemembered = 16 * 1024;
  std::vector<std::uint32_t> recent_;  // transactions read, a ring
  std::size_t oldest_ = 0;
  std::optional<std::uint64_t> first_of_ours_;  // older transactions may have been read before us

  bool news_ = false;
  bool asked_ = false;  // until the snapshot counts
  Offsets offsets_;     // when it was asked for
  std::optional<TakenSnapshot> taken_;
  std::optional<SettledPoint> point_;
};

}  // namespace countersign::relay
