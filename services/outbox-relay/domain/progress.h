#pragma once
// What was read, what Kafka has, and what follows from it: how far the slot may be confirmed, what
// a checkpoint may say, and which event must not be sent again. Knows neither server, so that every
// order of events, acknowledgements and crashes can be tried.
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "services/outbox-relay/domain/acknowledgements.h"
#include "services/outbox-relay/domain/batch_settling.h"
#include "services/outbox-relay/domain/checkpoint.h"
#include "services/outbox-relay/domain/seen_events.h"
#include "services/outbox-relay/domain/settling.h"

namespace countersign::relay {

enum class Promise : std::uint8_t {
  kAtLeastOnce,    // no checkpoints; what was in flight at a crash comes twice
  kDeduplicated,   // a resumed stream leaves out what Kafka has
  kTransactional,  // events become visible together with the checkpoint that covers them
};

// Where a stream begins.
struct Resumption {
  Lsn from{};
  Offsets offsets{};  // of the checkpoint
  std::optional<SettledPoint> settled{};
  bool rebuilt = false;  // a checkpoint must say so, even if no event comes
  // What lies in Kafka behind those offsets, and how far the database had written its WAL when that
  // was read: no event that is committed later can be among it.
  SeenEvents seen{};
  Lsn seen_until{};
  // The events come in batches from the tables: what Kafka has is compared until no transaction is
  // left that was running at the end of the first batch.
  bool batches = false;
  bool unordered = false;  // as of the checkpoint
};

// Everything that was committed in the database's state `taken` was read.
struct BatchEnd {
  TakenSnapshot taken;
  Lsn flushed;  // what a crash of the server would leave
};

class Progress {
 public:
  using Token = Acknowledgements::Token;

  explicit Progress(Promise promise) : promise_(promise) {}

  // Forgets everything before: nothing of ours may be in flight.
  void Resume(Resumption resumption);

  // The stream, in its order.
  void Begin(Instant commit_time, std::uint32_t xid);
  // What Kafka has of this topic was not looked at, and must be before IsInKafka is asked.
  [[nodiscard]] bool MustLookInto(std::string_view topic) const;
  void LookedInto(std::string_view topic, SeenEvents seen);
  [[nodiscard]] std::size_t SeenInKafka() const { return seen_.size(); }
  // To be left out; counts as acknowledged.
  [[nodiscard]] bool IsInKafka(const Uuid& event) const { return seen_.Contains(event); }
  [[nodiscard]] Token AddEvent() { return acknowledgements_.AddEvent(); }
  // Kafka did not take the event just added.
  void TakeBack() { acknowledgements_.TakeBack(); }
  void Commit(Lsn end);
  // Nothing of ours lies before `position` but what was read until now.
  void Pass(Lsn position);
  // Instead of the two: a batch, which is one transaction, or nothing if it had no events.
  void EndBatch(BatchEnd end);
  // Between batches: what a crash of the server would leave.
  void Flushed(Lsn flushed) {
    if (batches_) batches_->Flushed(flushed);
  }

  // One event of that transaction is in Kafka, there; an offset below 0 is not known. Returns when
  // the transaction was committed.
  Instant Acknowledge(Token token, std::string_view topic, int partition, std::int64_t offset);

  // What a checkpoint should say now; only position and offsets are filled in. Empty while there is
  // nothing new or while one is on its way. To be called from time to time: what it marks at one
  // call it gives out at a later one.
  [[nodiscard]] std::optional<Checkpoint> DueCheckpoint();
  // A snapshot of the database would give a later settled point; see Settling.
  [[nodiscard]] bool WantsSnapshot() const;
  void SnapshotAsked() { settling_.Asked(offsets_); }
  void SnapshotTaken(std::optional<TakenSnapshot> taken) { settling_.Taken(std::move(taken)); }
  void CheckpointQueued();
  void CheckpointWritten();
  // A call of DueCheckpoint may have a result, without anything else happening.
  [[nodiscard]] bool CheckpointWorthAsking() const;
  // Every event that is acknowledged is covered by a checkpoint that Kafka has.
  [[nodiscard]] bool Covered() const {
    return !news_ && !mark_ && !queued_ && !(batches_ && batches_->Waits());
  }
  [[nodiscard]] bool CheckpointOnItsWay() const { return queued_; }

  // The slot may be confirmed up to what is confirmed here, whether a checkpoint says so yet or
  // not.
  [[nodiscard]] const Acknowledgements& acknowledgements() const { return acknowledgements_; }
  // Events that were brought otherwise, and come in the stream before `until`.
  void AlsoSeen(SeenEvents events, Lsn until);
  // Events are going to be brought otherwise from now on, while nothing of the stream is sent.
  void BringOtherwise();

  // With transactions of Kafka, each of which ends where none of PostgreSQL's is open.
  // What the checkpoint in the one that ends now says; only position, offsets and what follows from
  // them are filled in.
  [[nodiscard]] Checkpoint CheckpointOfTransaction();
  // Nothing that was read until now is in an open one any more: it counts.
  void TransactionEnded() { acknowledgements_.Release(); }

  // Kafka's events are still being compared with the stream's.
  [[nodiscard]] bool Deduplicating() const { return deduplicating_; }

 private:
  // The offsets of one moment. They may be written with a position once all that was read until
  // then is acknowledged: what is not covered by that position came later, so it lies behind them.
  struct Mark {
    Offsets offsets;
    Token read_until = 0;
    bool unordered = false;
  };
  [[nodiscard]] bool Checkpoints() const { return promise_ != Promise::kAtLeastOnce; }
  void EndDeduplication(Lsn reached);
  [[nodiscard]] bool StillCompares(const std::string& snapshot);
  [[nodiscard]] std::optional<Checkpoint> DueOfBatches();

  Promise promise_;
  Acknowledgements acknowledgements_{Lsn{}};

  bool deduplicating_ = false;
  bool looking_ = false;  // and topics that no checkpoint names are looked into
  SeenEvents seen_;
  Lsn seen_until_;
  std::set<std::string, std::less<>> looked_into_;

  Offsets offsets_;                        // behind what is acknowledged
  std::optional<Offsets> before_brought_;  // what offsets_ was before events came out of order
  bool news_ = false;                      // since the last mark
  Settling settling_;
  std::optional<BatchSettling> batches_;        // instead of settling_ and mark_
  std::optional<std::uint64_t> first_of_ours_;  // older transactions may be among seen_
  bool acknowledged_ = false;  // something, since the last snapshot that may be settled
  std::optional<Mark> mark_;
  bool queued_ = false;  // a checkpoint is on its way
};

}  // namespace countersign::relay
