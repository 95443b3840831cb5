#include "services/outbox-relay/domain/progress.h"

#include <algorithm>
#include <utility>

#include "libs/core/invariant.h"
#include "services/outbox-relay/domain/snapshot.h"

namespace countersign::relay {

void Progress::Resume(Resumption resumption) {
  acknowledgements_ = Acknowledgements(resumption.from, promise_ == Promise::kTransactional);
  deduplicating_ = Checkpoints() && resumption.from < resumption.seen_until;
  looking_ = deduplicating_;
  seen_ = std::move(resumption.seen);
  seen_.Sort();
  seen_until_ = resumption.seen_until;
  looked_into_.clear();
  for (const auto& [topic, next] : resumption.offsets) looked_into_.insert(topic);
  offsets_ = std::move(resumption.offsets);
  before_brought_.reset();
  if (resumption.unordered && deduplicating_) before_brought_ = offsets_;
  batches_.reset();
  first_of_ours_.reset();
  acknowledged_ = false;
  if (resumption.batches) batches_.emplace(resumption.settled);
  settling_ = Settling(std::move(resumption.settled));
  // The first snapshot tells which transactions are older than this relay.
  settling_.News();
  news_ = resumption.rebuilt;
  mark_.reset();
  queued_ = false;
}

void Progress::Begin(Instant commit_time, std::uint32_t xid) {
  acknowledgements_.Open(commit_time);
  settling_.Read(xid);
}

bool Progress::MustLookInto(std::string_view topic) const {
  return looking_ && !looked_into_.contains(topic);
}

void Progress::LookedInto(std::string_view topic, SeenEvents seen) {
  looked_into_.emplace(topic);
  seen_.Merge(std::move(seen));
}

void Progress::AlsoSeen(SeenEvents events, Lsn until) {
  seen_.Merge(std::move(events));
  seen_until_ = deduplicating_ ? std::max(seen_until_, until) : until;
  deduplicating_ = true;
}

void Progress::BringOtherwise() {
  if (!before_brought_) before_brought_ = offsets_;
}

void Progress::Commit(Lsn end) {
  acknowledgements_.Close(end);
  EndDeduplication(end);
}

void Progress::Pass(Lsn position) {
  acknowledgements_.Pass(position);
  if (!acknowledgements_.HasOpen()) EndDeduplication(position);
}

void Progress::EndBatch(BatchEnd end) {
  const bool events = acknowledgements_.HasOpen();
  if (events) acknowledgements_.Close(end.flushed);
  if (!events) acknowledgements_.Pass(end.flushed);
  batches_->Flushed(end.flushed);
  const bool compared = deduplicating_;
  if (compared && !StillCompares(end.taken.snapshot)) {
    deduplicating_ = false;
    seen_ = {};
  }
  if (!events && compared == deduplicating_ && (deduplicating_ || !acknowledged_)) return;
  acknowledged_ = false;
  // What Kafka has of transactions that are not visible yet lies behind the old offsets.
  const auto& point = batches_->point();
  Offsets now = !deduplicating_ ? offsets_ : point ? point->offsets : Offsets{};
  batches_->Read(std::move(end.taken), std::move(now), acknowledgements_.NextTransaction());
}

// An earlier relay can have read only transactions that had begun before our first snapshot.
bool Progress::StillCompares(const std::string& snapshot) {
  const auto numbers = ReadSnapshot(snapshot);
  if (!numbers) return true;
  if (!first_of_ours_) first_of_ours_ = numbers->xmax;
  return numbers->xmin < *first_of_ours_;
}

void Progress::EndDeduplication(Lsn reached) {
  if (!deduplicating_ || reached < seen_until_) return;
  deduplicating_ = false;
  looking_ = false;
  seen_ = {};
  before_brought_.reset();
}

Instant Progress::Acknowledge(Token token, std::string_view topic, int partition,
                              std::int64_t offset) {
  if (batches_) {
    // The next snapshot may be settled with later offsets.
    acknowledged_ = true;
  } else {
    // A transaction has its checkpoint in itself.
    if (promise_ == Promise::kDeduplicated) news_ = true;
    settling_.News();
  }
  if (Checkpoints() && offset >= 0 && partition >= 0) {
    auto found = offsets_.find(topic);
    if (found == offsets_.end())
      found = offsets_.emplace(std::string(topic), Offsets::mapped_type{}).first;
    auto& next = found->second;
    const auto at = static_cast<std::size_t>(partition);
    if (next.size() <= at) next.resize(at + 1, kUnknownOffset);
    next[at] = std::max(next[at], offset + 1);
  }
  return acknowledgements_.Acknowledge(token);
}

std::optional<Checkpoint> Progress::DueCheckpoint() {
  if (promise_ != Promise::kDeduplicated || queued_) return std::nullopt;
  if (batches_) return DueOfBatches();
  // A new settled point is worth a checkpoint of its own.
  if (settling_.Confirm(acknowledgements_.Confirmed())) news_ = true;
  if (!mark_ && news_) {
    mark_ = Mark{.offsets = before_brought_.value_or(offsets_),
                 .read_until = acknowledgements_.NextTransaction(),
                 .unordered = before_brought_.has_value()};
    news_ = false;
  }
  if (!mark_ || acknowledgements_.FirstUnfinished() < mark_->read_until) return std::nullopt;
  return Checkpoint{.position = acknowledgements_.Confirmed(),
                    .offsets = mark_->offsets,
                    .settled = settling_.point(),
                    .unordered = mark_->unordered};
}

Checkpoint Progress::CheckpointOfTransaction() {
  Invariant(!acknowledgements_.HasOpen(), "no transaction of PostgreSQL is split");
  const Lsn position = acknowledgements_.Reached();
  (void)settling_.Confirm(position);
  news_ = false;
  return {.position = position,
          .offsets = before_brought_.value_or(offsets_),
          .settled = settling_.point(),
          .atomic = !deduplicating_ && !before_brought_,
          .unordered = before_brought_.has_value()};
}

std::optional<Checkpoint> Progress::DueOfBatches() {
  if (batches_->Confirm(acknowledgements_.FirstUnfinished())) news_ = true;
  if (!news_) return std::nullopt;
  return Checkpoint{.position = acknowledgements_.Confirmed(),
                    .offsets = batches_->point()->offsets,
                    .settled = batches_->point()};
}

bool Progress::WantsSnapshot() const {
  return !batches_ && Checkpoints() && settling_.WantsSnapshot();
}

bool Progress::CheckpointWorthAsking() const {
  if (!Checkpoints() || queued_) return false;
  if (promise_ == Promise::kTransactional) {
    return !acknowledgements_.HasOpen() &&
           (news_ || settling_.Settles(acknowledgements_.Reached()));
  }
  if (batches_) return news_ || batches_->Settles(acknowledgements_.FirstUnfinished());
  if (settling_.Settles(acknowledgements_.Confirmed())) return true;
  return mark_ ? acknowledgements_.FirstUnfinished() >= mark_->read_until : news_;
}

void Progress::CheckpointQueued() {
  Invariant((mark_ || (batches_ && news_)) && !queued_, "a due checkpoint is queued once");
  if (batches_) news_ = false;
  mark_.reset();
  queued_ = true;
}

void Progress::CheckpointWritten() {
  Invariant(queued_, "only a queued checkpoint can have been written");
  queued_ = false;
}

}  // namespace countersign::relay
