#include "services/otp/consumer/verification_consumer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "services/otp/consumer/send_otp.h"

namespace countersign::otp {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kPollLimit{50};
// A full pipeline is waited for so long before the partitions are paused, which costs their
// prefetched records.
constexpr milliseconds kRoomLimit{500};
constexpr milliseconds kReconnectPause{2'000};
constexpr milliseconds kObserveInterval{500};

}  // namespace

VerificationConsumer::VerificationConsumer(VerificationConsumerSettings settings, Parts parts)
    : settings_(std::move(settings)),
      parts_(parts),
      dead_letters_(settings_.dead_letters, settings_.topic + ".dlt", parts.observer,
                    parts.logger) {}

VerificationConsumer::~VerificationConsumer() { Leave(); }

void VerificationConsumer::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    try {
      return Session(stop);
    } catch (const kafka::Fault& fault) {
      parts_.observer.Trouble("kafka", fault.what());
      parts_.logger.Error("consuming was interrupted", {{"why", fault.what()}});
    }
    Leave();
    std::unique_lock lock(mutex_);
    finished_.wait_for(lock, stop, kReconnectPause, [] { return false; });
  }
}

void VerificationConsumer::Session(const std::stop_token& stop) {
  Connect();
  while (!stop.stop_requested()) {
    SetPaused(!WaitForRoom(stop));
    if (const auto message = consumer_->Poll(kPollLimit)) Accept(*message);
    dead_letters_.Work();
    ObserveBacklog();
  }
}

void VerificationConsumer::Connect() {
  auto consumer = std::make_unique<kafka::Consumer>(
      settings_.kafka,
      kafka::Consumer::RebalanceListener{
          .on_assigned = [this](std::span<const kafka::TopicPartition> p) { OnAssigned(p); },
          .on_revoked = [this](std::span<const kafka::TopicPartition> p, bool) { OnRevoked(p); }});
  consumer->Subscribe({settings_.topic});
  const std::lock_guard lock(mutex_);
  consumer_ = std::move(consumer);
}

void VerificationConsumer::Leave() {
  GiveAllAway();
  std::unique_ptr<kafka::Consumer> leaving;
  {
    const std::lock_guard lock(mutex_);
    leaving = std::move(consumer_);
  }
  // Not under the lock: it may call OnRevoked.
  leaving.reset();
}

void VerificationConsumer::Accept(const kafka::Message& message) {
  Place place = Begin(message);
  if (!place.assignment) return;
  SendOtpRecord record{.type = {}, .event_id = {}, .traceparent = {}, .value = message.value()};
  for (const auto& [name, value] : message.Headers()) {
    if (name == "ce_type") record.type = value;
    if (name == "ce_id") record.event_id = value;
    if (name == "traceparent") record.traceparent = value;
  }
  auto read = Read(record, parts_.recipient_keys, parts_.random);
  if (!read) return PutAside(message, std::move(read.error()), std::move(place));
  read->intent.given_away = place.assignment;
  if (read->why_sealed.empty()) read->why_sealed = "its challenge belongs to another number";
  // Owner: the completion, until it is known whether it is needed.
  auto letter = std::make_shared<DeadLetter>(ToDeadLetter(message, std::move(read->why_sealed)));
  parts_.flow.Run(std::move(read->intent), [this, place, letter](DeliverCodeFlow::Taken taken) {
    if (taken == DeliverCodeFlow::Taken::kFinished) return Finish(place);
    dead_letters_.Add(std::move(*letter), [this, place] { Finish(place); });
  });
}

void VerificationConsumer::PutAside(const kafka::Message& message, std::string why, Place place) {
  dead_letters_.Add(ToDeadLetter(message, std::move(why)),
                    [this, place = std::move(place)] { Finish(place); });
}

VerificationConsumer::Place VerificationConsumer::Begin(const kafka::Message& message) {
  Place place{.partition = {std::string(message.topic()), message.partition()},
              .offset = message.offset(),
              .assignment = nullptr};
  const std::lock_guard lock(mutex_);
  const auto found = partitions_.find(place.partition);
  if (found == partitions_.end()) return place;  // given away while it was on its way to us
  if (!found->second.offsets.Begin(message.offset(), message.time())) {
    // Read again from an earlier offset (the topic was made anew): as after a new assignment.
    Forget(found->second);
    found->second = Partition{};
    static_cast<void>(found->second.offsets.Begin(message.offset(), message.time()));
  }
  place.assignment = found->second.given_away;
  ++unfinished_;
  return place;
}

void VerificationConsumer::Finish(const Place& place) {
  const std::lock_guard lock(mutex_);
  const auto found = partitions_.find(place.partition);
  if (found == partitions_.end() || found->second.given_away != place.assignment) return;
  --unfinished_;
  parts_.observer.RecordFinished();
  // Under the lock, so that a later offset is never followed by an earlier one.
  const auto next = found->second.offsets.Finish(place.offset);
  if (next && consumer_) consumer_->Store(place.partition, *next);
  finished_.notify_one();
}

bool VerificationConsumer::WaitForRoom(const std::stop_token& stop) {
  const auto room = [this] {
    return unfinished_ < settings_.max_unfinished && !parts_.flow.halted();
  };
  std::unique_lock lock(mutex_);
  return finished_.wait_for(lock, stop, paused_ == true ? milliseconds(0) : kRoomLimit, room);
}

void VerificationConsumer::SetPaused(bool paused) {
  if (paused == paused_) return;
  const auto assignment = consumer_->Assignment();
  if (paused) {
    consumer_->Pause(assignment);
  } else {
    consumer_->Resume(assignment);
  }
  paused_ = paused;
}

void VerificationConsumer::OnAssigned(std::span<const kafka::TopicPartition> partitions) {
  const std::lock_guard lock(mutex_);
  for (const auto& partition : partitions) partitions_[partition] = Partition{};
  paused_.reset();
  parts_.observer.Trouble("kafka", {});
  parts_.logger.Info("partitions assigned", {{"count", partitions.size()}});
}

// What is under way here for them is seen by whoever gets them, by its intents; what is not begun
// is left to him.
void VerificationConsumer::OnRevoked(std::span<const kafka::TopicPartition> partitions) {
  if (partitions.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const auto& partition : partitions) {
    const auto found = partitions_.find(partition);
    if (found == partitions_.end()) continue;
    Forget(found->second);
    partitions_.erase(found);
  }
  finished_.notify_one();
  parts_.logger.Info("partitions revoked", {{"count", partitions.size()}});
}

void VerificationConsumer::Forget(const Partition& partition) {
  *partition.given_away = true;
  unfinished_ -= partition.offsets.unfinished();
}

void VerificationConsumer::GiveAllAway() {
  std::vector<kafka::TopicPartition> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [partition, state] : partitions_) all.push_back(partition);
  }
  OnRevoked(all);
}

void VerificationConsumer::ObserveBacklog() {
  const auto now = SteadyClock::now();
  if (now < next_observation_) return;
  next_observation_ = now + kObserveInterval;
  std::optional<Instant> oldest;
  const std::lock_guard lock(mutex_);
  for (const auto& [partition, state] : partitions_) {
    const auto appended = state.offsets.OldestAppended();
    if (appended && (!oldest || *appended < *oldest)) oldest = appended;
  }
  const auto age = oldest ? parts_.clock.Now() - *oldest : std::chrono::microseconds(0);
  parts_.observer.Backlog(unfinished_,
                          std::max(std::chrono::duration_cast<milliseconds>(age), milliseconds(0)));
}

}  // namespace countersign::otp
