#pragma once
// The transaction of Kafka that is open: when it ends, and what has become visible when it has. One
// of PostgreSQL's is never split over two of them.
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/core/clock.h"
#include "libs/core/lsn.h"

namespace countersign::relay {

class KafkaTransaction {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // Events of one topic and one transaction of PostgreSQL.
  struct Delivered {
    std::string topic;
    Instant committed;
    std::size_t events = 0;
    std::size_t bytes = 0;
  };

  // What comes within this time shares a transaction: each costs the cluster several requests.
  static constexpr std::chrono::milliseconds kGathered{20};
  // Rows of a table have no order of commits that could be kept together.
  static constexpr std::chrono::milliseconds kRowsGathered{1'000};
  // The cluster forgets who may write after a week of silence.
  static constexpr std::chrono::hours kLongestSilence{1};

  // The cluster aborts it after `limit`.
  explicit KafkaTransaction(std::chrono::milliseconds limit) : limit_(limit) {}

  // Earlier producers of our name are shut out.
  void Fenced(Time now) { ended_ = now; }
  void Begin(Time now);
  [[nodiscard]] bool open() const { return begun_.has_value(); }
  // A transaction of PostgreSQL was read to its end.
  void Read(Lsn end);
  void Delivery(std::string_view topic, Instant committed, std::size_t bytes);
  // It is committed; what that made visible.
  [[nodiscard]] std::vector<Delivered> Committed(Time now);
  // It is not committed. Everything in it comes again.
  void Lost();
  // An event obstructs those behind it: those before it that come again are committed each by
  // itself, so that they do not wait with it.
  void SeparateWhatWasRead() { separate_until_ = read_; }

  // Asked between two transactions of PostgreSQL: Kafka's ends here. `in_flight`: events that are
  // not acknowledged.
  [[nodiscard]] bool MustEnd(Time now, std::size_t in_flight) const;
  [[nodiscard]] bool RowsMustEnd(Time now) const { return Age(now) >= kRowsGathered; }
  // When MustEnd is to be asked again at the latest; never if none is open.
  [[nodiscard]] Time Due() const { return begun_ ? *begun_ + kGathered : Time::max(); }
  // It cannot be committed any more.
  [[nodiscard]] bool Overdue(Time now) const { return Age(now) >= limit_; }
  [[nodiscard]] std::chrono::milliseconds limit() const { return limit_; }
  // Whole transactions of PostgreSQL are in it.
  [[nodiscard]] bool HasWhole() const { return open() && whole_; }
  // None for so long that one is due only so that the cluster remembers us.
  [[nodiscard]] bool SilentForLong(Time now) const { return now - ended_ >= kLongestSilence; }

 private:
  [[nodiscard]] Time::duration Age(Time now) const {
    return begun_ ? now - *begun_ : Time::duration::zero();
  }

  std::chrono::milliseconds limit_;
  std::optional<Time> begun_;
  bool whole_ = false;
  Lsn read_;
  Lsn separate_until_;
  Time ended_{};
  std::vector<Delivered> delivered_;
};

}  // namespace countersign::relay
