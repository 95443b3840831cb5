#pragma once
// Where a relay begins, from what the database and the newest checkpoint say. Never "from now" if
// an event could be missed by it.
#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "libs/core/lsn.h"
#include "services/outbox-relay/domain/checkpoint.h"

namespace countersign::relay {

// What a relay does that finds neither slot nor checkpoint.
enum class FirstStart : std::uint8_t {
  kEverything,  // relays what the tables hold already
  kNow,         // begins with what is committed from now on
};

enum class Source : std::uint8_t {
  kWal,    // the changes that PostgreSQL decodes for a replication slot
  kTable,  // the tables themselves, read again and again
};

enum class SlotState : std::uint8_t { kMissing, kLost, kUsable };

struct Findings {
  Source source = Source::kWal;
  std::string system_id{};
  int timeline = 0;
  Lsn flushed{};  // end of the server's WAL
  SlotState slot = SlotState::kUsable;
  std::optional<Checkpoint> checkpoint{};
  // Where the checkpoint's timeline ended on the way to the server's, if it is another one and the
  // server comes from it.
  std::optional<Lsn> timeline_ended{};
  // The number of the server's next transaction, for the table source.
  std::optional<std::uint64_t> next_transaction{};
  FirstStart first_start = FirstStart::kEverything;
};

enum class Start : std::uint8_t {
  kResume,    // the slot has what is missing in Kafka
  kMakeSlot,  // nothing can be missing in Kafka; the table source begins with what comes now
  kRebuild,   // the tables have what is missing in Kafka; the slot, if any, is made anew
};

struct StartRefused {
  std::string cause;  // a metric label
  std::string why;    // for an operator
};

[[nodiscard]] tl::expected<Start, StartRefused> DecideStart(const Findings& findings);

}  // namespace countersign::relay
