#pragma once
// A consumer whose offsets are stored by hand. Not thread safe but for Store: one thread polls.
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/core/clock.h"
#include "libs/kafka/fault.h"
#include "libs/kafka/handles.h"
#include "libs/kafka/settings.h"

namespace countersign::kafka {

enum class From { kBeginning, kEnd, kError };  // where to start without a committed offset

struct ConsumerSettings {
  ClientSettings client;
  std::string group;           // required by Subscribe
  std::string group_instance;  // static membership; empty: dynamic
  From reset = From::kBeginning;
  std::chrono::milliseconds session_timeout{10'000};
  std::chrono::milliseconds max_poll_interval{300'000};
  std::chrono::milliseconds commit_interval{1000};
  bool partition_end = false;  // Poll tells the end of a partition (Message::at_end)
  int prefetch_kbytes = 16 * 1024;
  // How long a broker keeps a request it has no records for: longer is cheaper, and at_end comes
  // later.
  std::chrono::milliseconds fetch_wait{500};
  // Records of transactions that were committed, and nothing behind the first one that is open.
  bool committed_only = true;
};

// A record; views are valid as long as the Message lives. Movable.
class Message {
 public:
  explicit Message(MessageHandle handle);
  [[nodiscard]] std::string_view topic() const;
  [[nodiscard]] int partition() const;
  [[nodiscard]] std::int64_t offset() const;
  [[nodiscard]] std::optional<std::string_view> key() const;
  [[nodiscard]] std::string_view value() const;
  // Append or create time, as the topic is set up; milliseconds on the wire.
  [[nodiscard]] Instant time() const;
  // The last header of that name.
  [[nodiscard]] std::optional<std::string_view> Header(std::string_view name) const;
  [[nodiscard]] std::vector<std::pair<std::string_view, std::string_view>> Headers() const;
  // No record but the news that the partition is read to its end (ConsumerSettings::partition_end).
  [[nodiscard]] bool at_end() const;

 private:
  MessageHandle handle_;
};

struct StartAt {
  TopicPartition partition;
  std::int64_t offset = 0;  // or kFirst, kLast
};
inline constexpr std::int64_t kFirst = -2;
inline constexpr std::int64_t kLast = -1;

struct Watermarks {
  std::int64_t low = 0;  // first offset that exists
  // Offset after the last record; with committed_only, the first of an open transaction.
  std::int64_t high = 0;
};

class Consumer {
 public:
  // Called inside Poll. On revoke the listener should finish or drop what it holds of those
  // partitions and Store; the stored offsets are committed when it returns. `lost` says that the
  // group has given the partitions away already: storing is then useless. What they throw, Poll
  // throws.
  struct RebalanceListener {
    std::function<void(std::span<const TopicPartition>)> on_assigned;
    std::function<void(std::span<const TopicPartition>, bool lost)> on_revoked;
  };

  // Throws SettingsFault.
  explicit Consumer(const ConsumerSettings& settings, RebalanceListener listener = {});
  // Leaves the group and commits what was stored; waits a few seconds for a broker at most.
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Joins the group (cooperative-sticky). Topics may come into being later.
  void Subscribe(const std::vector<std::string>& topics);
  // Reads these partitions from these offsets, without a group.
  void Assign(const std::vector<StartAt>& partitions);

  // Empty when the time is over. Transient troubles (broker away, topic not there yet) are logged
  // by the client and retried inside. Throws Fault for what needs a decision (offset out of range
  // with From::kError, not authorised) and FatalFault.
  [[nodiscard]] std::optional<Message> Poll(std::chrono::milliseconds limit);

  // `next` is the offset to resume from: that of the last finished record + 1. Committed every
  // commit_interval, on revoke and at the end. False if the partition is no longer ours. Thread
  // safe.
  bool Store(const TopicPartition& partition, std::int64_t next);
  // Commits what was stored now. False if nothing was stored or the group refused. Throws Fault.
  bool Commit();

  // No records of these partitions until Resume; heartbeats go on as long as Poll is called.
  void Pause(std::span<const TopicPartition> partitions);
  void Resume(std::span<const TopicPartition> partitions);

  [[nodiscard]] std::vector<TopicPartition> Assignment() const;
  // Ask the cluster. Throw Fault. A topic that does not exist has no partitions.
  [[nodiscard]] int Partitions(const std::string& topic, std::chrono::milliseconds limit) const;
  [[nodiscard]] Watermarks QueryWatermarks(const TopicPartition& partition,
                                           std::chrono::milliseconds limit) const;
  // By partition, the offset of the first record whose time is `time` or later; where there is
  // none, the end as it was before the question.
  [[nodiscard]] std::vector<std::int64_t> OffsetsAt(const std::string& topic, int partitions,
                                                    Instant time,
                                                    std::chrono::milliseconds limit) const;

 private:
  struct State;  // what the client library's callbacks point at
  std::unique_ptr<State> state_;
  ClientHandle client_;
  bool subscribed_ = false;
};

}  // namespace countersign::kafka
