#pragma once
// Reads what lies in topics behind given offsets, to the end they have now. Transactions that are
// open there are waited for: what was committed behind them is not given out before they end.
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "libs/core/lsn.h"
#include "libs/core/uuid.h"
#include "libs/kafka/consumer.h"
#include "services/outbox-relay/domain/checkpoint.h"
#include "services/outbox-relay/domain/seen_events.h"

namespace countersign::relay {

enum class Tail : std::uint8_t {
  kRead,
  kNoTopic,
  // Some offset lies outside of its partition, which was read from its beginning instead: the topic
  // was made anew or has lost its end.
  kOutOfRange,
};

// Kafka did not say what it has. Asking again may mend it.
class TailFault final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// How long Kafka may keep us waiting for the next record. An answer to a question must come sooner:
// nothing else can be done meanwhile.
inline constexpr std::chrono::seconds kTailLimit{3};
inline constexpr std::chrono::seconds kAnswerLimit{1};

class TailReader {
 public:
  using OnRecord = std::function<void(const kafka::Message&)>;

  // `on_wait` is called at least every 100 ms, for duties that cannot wait. Throws
  // kafka::SettingsFault.
  explicit TailReader(const kafka::ClientSettings& cluster, std::function<void()> on_wait = {});

  // `from`: next offset by partition; of the others everything is read. Every record of a partition
  // in its order. Throws TailFault.
  Tail Read(const std::string& topic, const std::vector<std::int64_t>& from,
            const OnRecord& on_record);

 private:
  Tail ReadToTheEnd(const std::string& topic, const std::vector<std::int64_t>& from,
                    const OnRecord& on_record);
  [[nodiscard]] Tail Start(const std::string& topic, const std::vector<std::int64_t>& from,
                           int partitions);

  std::function<void()> on_wait_;
  kafka::Consumer limits_;  // sees open transactions, too
  kafka::Consumer consumer_;
  std::map<int, std::int64_t> ends_;  // of the partitions that are not read to theirs
};

// What `topic` has of events that were committed at `after` or later, by their header commit_lsn;
// records that were replayed on purpose do not count.
Tail CollectSeen(TailReader& reader, const std::string& topic,
                 const std::vector<std::int64_t>& from, Lsn after, SeenEvents& seen);

// 16 bytes that stand for an event id: the id itself if it is a UUID, else the half of its SHA-256.
[[nodiscard]] Uuid IdentityOf(std::string_view event_id);

}  // namespace countersign::relay
