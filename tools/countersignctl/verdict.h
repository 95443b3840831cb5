#pragma once
// Holds what the logs have against what the topics have. Knows neither server, so that it can be
// tried with planted faults. One event costs kBytesAnEvent, one key kBytesAKey, whatever their
// size.
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libs/core/clock.h"
#include "libs/core/uuid.h"

namespace countersign::ctl {

// What is compared of an event. `source` is the ce_source, which names the log.
struct EventFacts {
  std::string_view event_id{};
  std::string_view source{};
  std::string_view topic{};
  std::string_view key{};
  std::string_view type{};
  std::string_view seq{};
  std::string_view value{};
};

struct LogRow {
  EventFacts event;
  std::int64_t id = 0;  // its place in the log
  bool parked = false;  // it waits for an operator, and Kafka cannot have it
};

struct TopicRecord {
  EventFacts event;
  int partition = 0;
  std::int64_t offset = 0;
  Instant time{};           // of the event
  std::int64_t row_id = 0;  // by its own header; 0: it does not say
  bool replayed = false;
};

enum class Finding : std::uint8_t {
  kLost,        // a row without a record
  kWaiting,     // the same, while the relay has not confirmed that Kafka has it, or has parked it
  kInvented,    // a record without a row
  kAltered,     // log, topic, key, type, sequence or value differ
  kOutOfOrder,  // behind a later event of its key
  kMovedKey,    // its key has events on another partition, too
};
inline constexpr std::array kFindings = {Finding::kLost,       Finding::kWaiting,
                                         Finding::kInvented,   Finding::kAltered,
                                         Finding::kOutOfOrder, Finding::kMovedKey};
[[nodiscard]] std::string_view NameOf(Finding finding);

struct Found {
  std::int64_t count = 0;
  std::vector<std::string> examples;  // the first Verdict::kExamples
};

// A record whose row was not read: it may have been committed since.
struct UnknownRecord {
  std::string event_id;
  std::string source;
  std::string where;
  std::uint64_t digest = 0;
  std::int64_t row_id = 0;
};

// Call AddSource for each log, AddRow for all rows, RowsComplete, AddRecord for all records of each
// partition in their order, then Explain for the rows of UnknownRecords, then Finish.
class Verdict {
 public:
  static constexpr std::size_t kBytesAnEvent = 40;
  static constexpr std::size_t kBytesAKey = 64;
  static constexpr std::size_t kExamples = 20;
  // Beyond, a record without a row counts as invented at once.
  static constexpr std::size_t kMostUnknown = 10'000;

  explicit Verdict(Instant until) : until_(until) {}

  // One of the logs that are compared, whose rows of [since, until) will be added. Records of other
  // sources, or outside of that range and of no such row, are left out.
  void AddSource(std::string_view source, Instant since);
  void AddRow(const LogRow& row);
  void RowsComplete();
  void AddRecord(const TopicRecord& record);

  [[nodiscard]] const std::map<std::string, UnknownRecord, std::less<>>& Unknown() const {
    return unknown_;
  }
  // A row that was committed after the others were read.
  void Explain(const EventFacts& row);
  // `all_relayed`: the relay has confirmed that Kafka has every row.
  void Finish(bool all_relayed);

  [[nodiscard]] const Found& Of(Finding finding) const {
    return found_[static_cast<std::size_t>(finding)];
  }
  [[nodiscard]] bool Clean() const;
  [[nodiscard]] std::vector<std::string> Topics() const;
  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(rows_.size()); }
  [[nodiscard]] std::int64_t records() const { return records_; }
  [[nodiscard]] std::int64_t duplicates() const { return duplicates_; }
  [[nodiscard]] std::int64_t replayed() const { return replayed_; }

 private:
  struct Entry {
    Uuid identity;
    std::uint64_t digest = 0;
    std::int64_t id = 0;
    std::uint32_t topic = 0;
    std::uint16_t source = 0;
    bool is_uuid : 1 = false;
    bool parked : 1 = false;
    bool seen : 1 = false;
  };
  static_assert(sizeof(Entry) == kBytesAnEvent);
  // The events of one key of one log in one topic.
  struct Lane {
    std::int64_t last_id = 0;
    std::int32_t partition = -1;
    bool moved = false;
  };
  using Numbers = std::map<std::string, std::uint32_t, std::less<>>;

  static std::uint32_t Number(Numbers& numbers, std::string_view name);
  [[nodiscard]] static std::uint64_t DigestOf(const EventFacts& event);
  [[nodiscard]] Entry* Find(const EventFacts& event, std::uint64_t digest);
  void AddUnknown(const TopicRecord& record, std::uint64_t digest);
  void Order(const TopicRecord& record, const Entry& entry, bool first);
  void Note(Finding finding, const std::string& what);
  [[nodiscard]] static std::string Where(const TopicRecord& record);
  [[nodiscard]] std::string Describe(const Entry& entry) const;

  Instant since_ = Instant::max();  // the earliest of all logs
  Instant until_;
  Numbers topics_;
  Numbers sources_;
  std::vector<Instant> sinces_;  // by source
  std::deque<Entry> rows_;       // grows without a copy of itself
  std::unordered_map<std::uint64_t, Lane> lanes_;
  std::map<std::string, UnknownRecord, std::less<>> unknown_;
  std::array<Found, kFindings.size()> found_;
  std::int64_t records_ = 0;
  std::int64_t duplicates_ = 0;
  std::int64_t replayed_ = 0;
};

}  // namespace countersign::ctl
