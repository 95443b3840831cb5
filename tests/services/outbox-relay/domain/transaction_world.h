#pragma once
// A database, a Kafka with transactions and relays that die, freeze and go on in any order, with
// nothing real but Progress. What a relay must never do can be planted, to see that it is found.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "services/outbox-relay/domain/progress.h"

namespace countersign::relay {

enum class TransactionMutant : std::uint8_t {
  kNone,
  kCountsBeforeTheCommit,
  kForgetsTheCheckpoint,
  kChecksThePositionItConfirmed,
  kFencesNobody,
  kTakesEveryCheckpointForAtomic,
  kLeavesItAtomicInAnotherMode,
  kSplitsATransaction,
};

class TransactionWorld {
 public:
  TransactionWorld(std::uint64_t seed, TransactionMutant mutant) : random_(seed), mutant_(mutant) {
    Start();
  }

  void Step() {
    switch (random_() % 16) {
      case 0:
      case 1:
        Write();
        break;
      case 2:
      case 3:
      case 4:
      case 5:
      case 6:
        Read();
        break;
      case 7:
      case 8:
        Append();
        break;
      case 9:
      case 10:
        Deliver(random_() % kPartitions);
        break;
      case 11:
      case 12:
        End();
        break;
      case 13:
        Confirm();
        break;
      case 14:
        Thaw();
        break;
      default:
        if (random_() % 4 == 0) Crash();
        break;
    }
  }

  // Until everything is visible, without further crashes.
  void Settle() {
    for (int i = 0; i < 10'000 && !(next_ == wal_.size() && progress_->acknowledgements().Idle());
         ++i) {
      Read();
      while (!on_their_way_.empty()) Append();
      for (std::size_t partition = 0; partition < kPartitions; ++partition) Deliver(partition);
      End();
    }
    Thaw();
  }

  // What readers of committed records see: every event once and in its order, in each partition.
  [[nodiscard]] bool Faultless() const {
    for (std::size_t partition = 0; partition < kPartitions; ++partition) {
      std::vector<std::uint32_t> wanted;
      for (const auto& message : wal_) {
        if (message.kind == Kind::kEvent && message.partition == partition) {
          wanted.push_back(message.event);
        }
      }
      if (Visible(partition) != wanted) return false;
    }
    return whole_;
  }
  [[nodiscard]] int Crashes() const { return crashes_; }
  [[nodiscard]] int Commits() const { return commits_; }
  [[nodiscard]] std::size_t LeftOut() const { return left_out_; }

 private:
  static constexpr std::size_t kPartitions = 3;

  enum class Kind : std::uint8_t { kBegin, kEvent, kCommit, kKeepalive };
  struct Message {
    Kind kind = Kind::kBegin;
    Lsn at;  // of the commit record; of a Commit: its end
    std::uint32_t event = 0;
    std::size_t partition = 0;
  };
  enum class Fate : std::uint8_t { kOpen, kVisible, kAborted };
  struct Record {
    std::uint32_t event = 0;
    Lsn commit;
    std::size_t partition = 0;
    Progress::Token token = 0;
    int life = 0;  // of the relay that sent it
    Fate fate = Fate::kOpen;
  };

  static Uuid IdOf(std::uint32_t event) {
    Uuid id;
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&event), sizeof event, id.bytes.begin());
    return id;
  }

  [[nodiscard]] std::vector<std::uint32_t> Visible(std::size_t partition) const {
    std::vector<std::uint32_t> events;
    for (const auto& record : log_[partition]) {
      if (record.fate == Fate::kVisible) events.push_back(record.event);
    }
    return events;
  }

  void Write() {
    if (random_() % 5 == 0) {
      wal_.push_back({.kind = Kind::kKeepalive, .at = Lsn{lsn_ += 2}});
      return;
    }
    const Lsn commit{lsn_ += 5};
    wal_.push_back({.kind = Kind::kBegin, .at = commit});
    for (auto left = random_() % 4; left > 0; --left) {
      wal_.push_back({.kind = Kind::kEvent,
                      .at = commit,
                      .event = ++events_,
                      .partition = random_() % kPartitions});
    }
    wal_.push_back({.kind = Kind::kCommit, .at = Lsn{++lsn_}});
  }

  void Read() {
    if (next_ == wal_.size()) return;
    const Message& message = wal_[next_++];
    if (message.kind == Kind::kBegin) progress_->Begin({}, 0);
    if (message.kind == Kind::kEvent) Relay(message);
    if (message.kind == Kind::kCommit) progress_->Commit(message.at);
    if (message.kind == Kind::kKeepalive) progress_->Pass(message.at);
  }

  void Relay(const Message& message) {
    if (progress_->MustLookInto("topic")) {
      SeenEvents seen;
      Collect({}, progress_->acknowledgements().Confirmed(), seen);
      progress_->LookedInto("topic", std::move(seen));
    }
    if (progress_->IsInKafka(IdOf(message.event))) {
      ++left_out_;
      return;
    }
    on_their_way_.push_back({.event = message.event,
                             .commit = message.at,
                             .partition = message.partition,
                             .token = progress_->AddEvent(),
                             .life = crashes_});
  }

  void Append() {
    if (on_their_way_.empty()) return;
    auto record = on_their_way_.front();
    on_their_way_.pop_front();
    if (promise_ == Promise::kDeduplicated) record.fate = Fate::kVisible;
    log_[record.partition].push_back(record);
  }

  void Deliver(std::size_t partition) {
    const auto& log = log_[partition];
    if (delivered_[partition] == log.size()) return;
    const auto offset = delivered_[partition]++;
    if (log[offset].life != crashes_) return;
    (void)progress_->Acknowledge(log[offset].token, "topic", static_cast<int>(partition),
                                 static_cast<std::int64_t>(offset));
  }

  [[nodiscard]] bool NothingIsUnderWay() const {
    return on_their_way_.empty() && progress_->acknowledgements().InFlight() == 0;
  }

  // Of a transaction, or a checkpoint of its own.
  void End() {
    if (promise_ == Promise::kDeduplicated) {
      auto due = progress_->DueCheckpoint();
      if (!due) return;
      progress_->CheckpointQueued();
      checkpoint_ = std::move(due);
      progress_->CheckpointWritten();
      return;
    }
    const bool split = progress_->acknowledgements().HasOpen();
    if (!NothingIsUnderWay() || (split && mutant_ != TransactionMutant::kSplitsATransaction))
      return;
    auto checkpoint = split ? checkpoint_ : progress_->CheckpointOfTransaction();
    if (checkpoint && mutant_ == TransactionMutant::kChecksThePositionItConfirmed) {
      checkpoint->position = progress_->acknowledgements().Confirmed();
    }
    MakeVisible();
    if (mutant_ != TransactionMutant::kForgetsTheCheckpoint) checkpoint_ = checkpoint;
    if (checkpoint && checkpoint->atomic) CheckThatNothingIsSeenInPart();
    ++commits_;
    // It may die before it hears that Kafka has committed.
    if (random_() % 20 == 0) return Crash();
    progress_->TransactionEnded();
  }

  void MakeVisible() {
    for (auto& log : log_) {
      for (auto& record : log) {
        if (record.fate == Fate::kOpen) record.fate = Fate::kVisible;
      }
    }
  }

  void CheckThatNothingIsSeenInPart() {
    for (const auto& log : log_) {
      for (const auto& record : log) {
        if (record.fate == Fate::kVisible && record.commit >= checkpoint_->position) whole_ = false;
      }
    }
  }

  void Confirm() {
    if (mutant_ == TransactionMutant::kCountsBeforeTheCommit) progress_->TransactionEnded();
    confirmed_.push_back(std::max(confirmed_.back(), progress_->acknowledgements().Confirmed()));
  }

  // A relay that was frozen sends what it still has, and commits.
  void Thaw() {
    if (!zombie_) return;
    for (auto& record : *zombie_) {
      if (mutant_ != TransactionMutant::kFencesNobody) continue;
      record.fate = Fate::kVisible;
      log_[record.partition].push_back(record);
    }
    zombie_.reset();
  }

  void Crash() {
    ++crashes_;
    if (promise_ == Promise::kDeduplicated) {
      for (auto left = random_() % (on_their_way_.size() + 1); left > 0; --left) Append();
    } else if (random_() % 2 == 0) {
      zombie_ = {on_their_way_.begin(), on_their_way_.end()};
    }
    on_their_way_.clear();
    Start();
  }

  // The new relay shuts out the old one, which ends its transaction, and begins where the
  // checkpoint says.
  void Start() {
    for (auto& log : log_) {
      for (auto& record : log) {
        if (record.fate == Fate::kOpen) record.fate = Fate::kAborted;
      }
    }
    promise_ = random_() % 3 == 0 ? Promise::kDeduplicated : Promise::kTransactional;
    // A crash of the database puts the slot back to what it had last written of it.
    const bool database_too = random_() % 4 == 0;
    const Lsn slot = database_too ? confirmed_[random_() % confirmed_.size()] : confirmed_.back();
    confirmed_.push_back(slot);
    Resumption resumption{.from = slot, .seen_until = Lsn{lsn_}};
    if (checkpoint_ && promise_ == Promise::kDeduplicated &&
        mutant_ != TransactionMutant::kLeavesItAtomicInAnotherMode) {
      checkpoint_->atomic = false;
    }
    if (checkpoint_) {
      resumption.from = std::max(slot, checkpoint_->position);
      resumption.offsets = checkpoint_->offsets;
      resumption.unordered = checkpoint_->unordered;
      const bool atomic =
          checkpoint_->atomic || mutant_ == TransactionMutant::kTakesEveryCheckpointForAtomic;
      if (promise_ == Promise::kTransactional && atomic && slot <= checkpoint_->position) {
        resumption.seen_until = {};
      } else {
        for (const auto& [topic, next] : resumption.offsets) {
          Collect(next, resumption.from, resumption.seen);
        }
      }
    }
    for (std::size_t partition = 0; partition < kPartitions; ++partition) {
      delivered_[partition] = log_[partition].size();
    }
    Reposition(resumption.from);
    progress_.emplace(promise_);
    progress_->Resume(std::move(resumption));
  }

  void Reposition(Lsn from) {
    std::size_t begin = 0;
    for (next_ = 0; next_ < wal_.size(); ++next_) {
      const auto& message = wal_[next_];
      if (message.kind == Kind::kBegin) begin = next_;
      if (message.kind == Kind::kCommit && message.at > from) break;
      if (message.kind == Kind::kKeepalive && message.at > from) return;
    }
    if (next_ < wal_.size()) next_ = begin;
  }

  void Collect(const std::vector<std::int64_t>& from, Lsn after, SeenEvents& seen) const {
    for (std::size_t partition = 0; partition < kPartitions; ++partition) {
      const auto next = partition < from.size() ? std::max<std::int64_t>(from[partition], 0) : 0;
      const auto& log = log_[partition];
      for (auto offset = static_cast<std::size_t>(next); offset < log.size(); ++offset) {
        const auto& record = log[offset];
        if (record.fate == Fate::kVisible && record.commit >= after) seen.Add(IdOf(record.event));
      }
    }
  }

  std::mt19937_64 random_;
  TransactionMutant mutant_;

  std::vector<Message> wal_;
  std::uint64_t lsn_ = 10;
  std::uint32_t events_ = 0;
  std::vector<Lsn> confirmed_ = {Lsn{10}};

  std::vector<std::vector<Record>> log_{kPartitions};
  std::optional<Checkpoint> checkpoint_;

  Promise promise_ = Promise::kTransactional;
  std::optional<Progress> progress_;
  std::size_t next_ = 0;  // of wal_, as the living relay reads it
  std::deque<Record> on_their_way_;
  std::vector<std::size_t> delivered_ = std::vector<std::size_t>(kPartitions);
  std::optional<std::deque<Record>> zombie_;  // what it still has

  bool whole_ = true;
  int crashes_ = 0;
  int commits_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace countersign::relay
