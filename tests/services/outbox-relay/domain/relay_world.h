#pragma once
// A database, a Kafka and a relay that die and go on in any order, with nothing real but Progress.
// What a relay must never do can be planted, to see that it is found.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "services/outbox-relay/domain/progress.h"
#include "tests/services/outbox-relay/domain/world_snapshot.h"

namespace countersign::relay {

enum class Mutant : std::uint8_t {
  kNone,
  kAcknowledgesWhenProduced,
  kChecksThePositionItRead,
  kResumesInsideATransaction,
  kChecksTheOffsetsOfNow,
  kForgetsTheTail,
  kForgetsWhatItRead,
  kTakesTheSnapshotFirst,
  kForgetsThatItRebuilds,
  kRebuildsFromNow,
};

class RelayWorld {
 public:
  RelayWorld(std::uint64_t seed, Mutant mutant) : random_(seed), mutant_(mutant) { Start(); }

  void Step() {
    switch (random_() % 18) {
      case 0:
        Write();
        break;
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
      case 6:
        Read();
        break;
      case 7:
      case 8:
        Append(random_() % kPartitions);
        break;
      case 9:
      case 10:
        Deliver(random_() % kPartitions);
        break;
      case 11:
        AppendCheckpoint();
        break;
      case 12:
        DeliverCheckpoint();
        break;
      case 13:
        Checkpoints();
        break;
      case 14:
        Confirm();
        break;
      case 15:
        AskForSnapshot();
        break;
      case 16:
        TakeSnapshot();
        break;
      default:
        if (random_() % 4 == 0) Crash();
        break;
    }
  }

  // Until everything is in Kafka, without further crashes.
  void Settle() {
    const auto done = [this] {
      return next_ == wal_.size() && progress_->acknowledgements().Idle() && progress_->Covered();
    };
    for (int i = 0; i < 10'000 && !done(); ++i) {
      Read();
      for (std::size_t partition = 0; partition < kPartitions; ++partition) {
        Append(partition);
        Deliver(partition);
      }
      Checkpoints();
      AppendCheckpoint();
      DeliverCheckpoint();
    }
  }

  // Every event of the log once and in its order, in each partition.
  [[nodiscard]] bool Faultless() const {
    std::vector<std::vector<std::uint32_t>> wanted(kPartitions);
    for (const auto& message : wal_) {
      if (message.kind == Kind::kEvent) wanted[message.partition].push_back(message.event);
    }
    for (std::size_t partition = 0; partition < kPartitions; ++partition) {
      std::vector<std::uint32_t> got;
      for (const auto& record : kafka_[partition].log) got.push_back(record.event);
      if (got != wanted[partition]) return false;
    }
    return true;
  }
  [[nodiscard]] std::size_t LeftOut() const { return left_out_; }
  [[nodiscard]] int Crashes() const { return crashes_; }
  [[nodiscard]] int Rebuilds() const { return rebuilds_; }

 private:
  static constexpr std::size_t kPartitions = 3;
  // Two topics, so that one can be absent from a checkpoint: the last partition is the second's.
  static std::string TopicOf(std::size_t partition) { return partition == 2 ? "other" : "one"; }
  static int NumberIn(std::size_t partition) {
    return partition == 2 ? 0 : static_cast<int>(partition);
  }

  enum class Kind : std::uint8_t { kBegin, kEvent, kCommit, kKeepalive };
  struct Message {
    Kind kind = Kind::kBegin;
    Lsn at;  // of the commit record; of a Commit: its end
    std::uint32_t event = 0;
    std::size_t partition = 0;
  };
  struct Record {
    std::uint32_t event = 0;
    Lsn commit;
    Progress::Token token = 0;
  };
  struct Partition {
    std::vector<Record> log;
    std::deque<Record> on_its_way;
    std::size_t delivered = 0;  // of log, as the living relay knows
  };

  static Uuid IdOf(std::uint32_t event) {
    Uuid id;
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&event), sizeof event, id.bytes.begin());
    return id;
  }

  void Write() {
    if (random_() % 5 == 0) {
      wal_.push_back({.kind = Kind::kKeepalive, .at = Lsn{lsn_ += 2}});
      return;
    }
    before_last_write_ = wal_.size();
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
    switch (message.kind) {
      case Kind::kBegin:
        progress_->Begin({}, mutant_ == Mutant::kForgetsWhatItRead ? 0 : XidOf(next_ - 1));
        break;
      case Kind::kEvent:
        Relay(message);
        break;
      case Kind::kCommit:
        progress_->Commit(message.at);
        read_ = message.at;
        break;
      case Kind::kKeepalive:
        progress_->Pass(message.at);
        break;
    }
  }

  void Relay(const Message& message) {
    const bool first_of_stream = next_ == resumed_at_ + 2;
    if (mutant_ == Mutant::kResumesInsideATransaction && crashes_ > 0 && first_of_stream) return;
    if (mutant_ != Mutant::kForgetsTheTail) {
      const std::string topic = TopicOf(message.partition);
      if (progress_->MustLookInto(topic)) {
        SeenEvents seen;
        Collect(topic, {}, progress_->acknowledgements().Confirmed(), seen);
        progress_->LookedInto(topic, std::move(seen));
      }
      if (progress_->IsInKafka(IdOf(message.event))) {
        ++left_out_;
        return;
      }
    }
    const auto token = progress_->AddEvent();
    kafka_[message.partition].on_its_way.push_back(
        {.event = message.event, .commit = message.at, .token = token});
    if (mutant_ == Mutant::kAcknowledgesWhenProduced) {
      (void)progress_->Acknowledge(token, TopicOf(message.partition), NumberIn(message.partition),
                                   kUnknownOffset);
    }
  }

  void Append(std::size_t at) {
    auto& partition = kafka_[at];
    if (partition.on_its_way.empty()) return;
    partition.log.push_back(partition.on_its_way.front());
    partition.on_its_way.pop_front();
  }

  void Deliver(std::size_t at) {
    auto& partition = kafka_[at];
    if (partition.delivered == partition.log.size()) return;
    const auto offset = partition.delivered++;
    if (mutant_ == Mutant::kAcknowledgesWhenProduced) return;
    (void)progress_->Acknowledge(partition.log[offset].token, TopicOf(at), NumberIn(at),
                                 static_cast<std::int64_t>(offset));
  }

  void Checkpoints() {
    auto due = progress_->DueCheckpoint();
    if (!due) return;
    if (mutant_ == Mutant::kChecksTheOffsetsOfNow) {
      for (std::size_t at = 0; at < kPartitions; ++at) {
        auto& next = due->offsets[TopicOf(at)];
        next.resize(2, kUnknownOffset);
        next[static_cast<std::size_t>(NumberIn(at))] =
            static_cast<std::int64_t>(kafka_[at].delivered);
      }
    }
    if (mutant_ == Mutant::kChecksThePositionItRead) due->position = read_;
    progress_->CheckpointQueued();
    checkpoint_on_its_way_ = std::move(due);
  }
  void AppendCheckpoint() {
    if (!checkpoint_on_its_way_) return;
    checkpoint_ = std::move(checkpoint_on_its_way_);
    checkpoint_on_its_way_.reset();
    checkpoint_appended_ = true;
  }
  void DeliverCheckpoint() {
    if (!checkpoint_appended_) return;
    checkpoint_appended_ = false;
    progress_->CheckpointWritten();
  }

  void AskForSnapshot() {
    if (!progress_->WantsSnapshot() || asked_) return;
    asked_ = true;
    progress_->SnapshotAsked();
    if (random_() % 2 == 0) TakeSnapshot();
  }
  void TakeSnapshot() {
    if (!asked_) return;
    asked_ = false;
    WorldSnapshot snapshot{.end = wal_.size()};
    if (mutant_ == Mutant::kTakesTheSnapshotFirst) snapshot.end = before_last_write_;
    // A synchronous standby is away: the last one read waits for it, and so do all later ones.
    if (random_() % 2 == 0) {
      std::size_t at = std::min(next_, snapshot.end);
      while (at > 0 && wal_[at - 1].kind != Kind::kBegin) --at;
      for (at -= std::min<std::size_t>(at, 1); at < snapshot.end; ++at) {
        if (wal_[at].kind == Kind::kBegin) snapshot.waiting.push_back(at);
      }
    }
    if (random_() % 3 == 0) Write();
    progress_->SnapshotTaken(TakenSnapshot{.snapshot = ToText(snapshot), .written = Lsn{lsn_}});
  }

  void Confirm() {
    confirmed_.push_back(std::max(confirmed_.back(), progress_->acknowledgements().Confirmed()));
  }

  void Crash() {
    ++crashes_;
    for (auto& partition : kafka_) {
      for (auto left = random_() % (partition.on_its_way.size() + 1); left > 0; --left) {
        partition.log.push_back(partition.on_its_way.front());
        partition.on_its_way.pop_front();
      }
      partition.on_its_way.clear();
    }
    if (checkpoint_on_its_way_ && random_() % 2 == 0) AppendCheckpoint();
    checkpoint_on_its_way_.reset();
    checkpoint_appended_ = false;
    asked_ = false;
    const bool can_rebuild = !checkpoint_ || checkpoint_->settled || checkpoint_->rebuilding;
    if (can_rebuild && random_() % 2 == 0) slot_lost_ = true;
    Start();
  }

  // As the relay does: marks it, makes a slot, relays what the table has and Kafka has not.
  void Rebuild() {
    if (!checkpoint_) checkpoint_.emplace();
    checkpoint_->rebuilding = mutant_ != Mutant::kForgetsThatItRebuilds;
    slot_lost_ = false;
    const Lsn slot{lsn_};
    confirmed_ = {slot};
    const auto settled = checkpoint_->settled.value_or(SettledPoint{});
    const WorldSnapshot old =
        settled.snapshot.empty() ? WorldSnapshot{} : ParseSnapshot(settled.snapshot);
    Resumption resumption{.offsets = settled.offsets,
                          .settled = SettledPoint{.snapshot = ToText({.end = wal_.size()}),
                                                  .offsets = settled.offsets},
                          .rebuilt = true,
                          .seen_until = slot};
    for (const auto& [topic, next] : resumption.offsets) {
      Collect(topic, next, Lsn{}, resumption.seen);
    }
    for (auto& partition : kafka_) partition.delivered = partition.log.size();
    progress_.emplace(Promise::kDeduplicated);
    progress_->Resume(std::move(resumption));
    progress_->Begin({}, 0);
    std::size_t begin = 0;
    for (std::size_t at = 0; at < wal_.size(); ++at) {
      if (wal_[at].kind == Kind::kBegin) begin = at;
      if (wal_[at].kind != Kind::kEvent || old.Sees(begin)) continue;
      if (mutant_ != Mutant::kRebuildsFromNow) Relay(wal_[at]);
    }
    progress_->Commit(slot);
    resumed_at_ = next_ = wal_.size();
    ++rebuilds_;
  }

  void Start() {
    if (slot_lost_ || (checkpoint_ && checkpoint_->rebuilding)) return Rebuild();
    // A crash of the database puts the slot back to what it had last written of it.
    const bool database_too = random_() % 4 == 0;
    const Lsn slot = database_too ? confirmed_[random_() % confirmed_.size()] : confirmed_.back();
    confirmed_.push_back(slot);
    Resumption resumption{.from = slot, .seen_until = Lsn{lsn_}};
    if (checkpoint_) {
      resumption.from = std::max(slot, checkpoint_->position);
      resumption.offsets = checkpoint_->offsets;
      resumption.settled = checkpoint_->settled;
      for (const auto& [topic, next] : resumption.offsets) {
        Collect(topic, next, resumption.from, resumption.seen);
      }
    }
    for (auto& partition : kafka_) partition.delivered = partition.log.size();
    Reposition(resumption.from);
    progress_.emplace(Promise::kDeduplicated);
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
    resumed_at_ = next_;
  }

  void Collect(const std::string& topic, const std::vector<std::int64_t>& from, Lsn after,
               SeenEvents& seen) const {
    for (std::size_t at = 0; at < kPartitions; ++at) {
      if (TopicOf(at) != topic) continue;
      const auto number = static_cast<std::size_t>(NumberIn(at));
      const auto next = number < from.size() ? std::max<std::int64_t>(from[number], 0) : 0;
      const auto& log = kafka_[at].log;
      for (auto offset = static_cast<std::size_t>(next); offset < log.size(); ++offset) {
        if (log[offset].commit >= after) seen.Add(IdOf(log[offset].event));
      }
    }
  }

  std::mt19937_64 random_;
  Mutant mutant_;

  std::vector<Message> wal_;
  std::uint64_t lsn_ = 10;
  std::uint32_t events_ = 0;
  std::vector<Lsn> confirmed_ = {Lsn{10}};

  std::vector<Partition> kafka_{kPartitions};
  std::optional<Checkpoint> checkpoint_;

  std::optional<Progress> progress_;
  std::size_t next_ = 0;  // of wal_, as the living relay reads it
  std::size_t resumed_at_ = 0;
  Lsn read_;
  std::optional<Checkpoint> checkpoint_on_its_way_;
  bool checkpoint_appended_ = false;
  std::size_t left_out_ = 0;
  int crashes_ = 0;

  bool slot_lost_ = false;
  int rebuilds_ = 0;
  bool asked_ = false;  // for a snapshot
  std::size_t before_last_write_ = 0;
};

}  // namespace countersign::relay
