#include "tools/countersignctl/replayer.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "libs/kafka/fault.h"
#include "tools/countersignctl/command.h"

namespace countersign::ctl {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kPause{5};
constexpr milliseconds kBeat{100};
// Without an acknowledgement for so long Kafka counts as away.
constexpr std::chrono::seconds kPatience{30};
// A client dies before it tells which record it died of.
constexpr milliseconds kRefusalNews{200};
constexpr std::chrono::seconds kLastNews{5};
constexpr int kQueueMessages = 10'000;

kafka::ProducerSettings Settings(const kafka::ClientSettings& cluster) {
  kafka::ProducerSettings settings;
  settings.client = cluster;
  settings.queue_messages = kQueueMessages;
  return settings;
}

// librdkafka's code for a request that had no answer in time.
constexpr int kTimedOut = -185;

}  // namespace

Replayer::Replayer(const kafka::ClientSettings& cluster, std::string source, std::string to_topic,
                   OnWait on_wait)
    : cluster_(cluster),
      source_(std::move(source)),
      to_topic_(std::move(to_topic)),
      on_wait_(std::move(on_wait)),
      producer_(std::make_unique<kafka::Producer>(Settings(cluster_))) {}

void Replayer::BeginAnew() {
  // What is on its way may arrive, and would be there twice.
  const auto end = SteadyClock::now() + kLastNews;
  while (producer_->InFlight() > 0 && SteadyClock::now() < end) {
    try {
      (void)producer_->Flush(kBeat, [this](const kafka::Delivery& delivery) {
        if (delivery.ok()) OnDelivery(delivery);
      });
    } catch (const kafka::FatalFault&) {  // its last deliveries come all the same
      std::this_thread::sleep_for(kPause);
    }
  }
  again_.merge(in_flight_);
  in_flight_.clear();
  producer_ = std::make_unique<kafka::Producer>(Settings(cluster_));
}

std::int64_t Replayer::done_until() const {
  auto first = last_ + 1;
  if (!in_flight_.empty()) first = std::min(first, *in_flight_.begin());
  if (!again_.empty()) first = std::min(first, *again_.begin());
  return first - 1;
}

bool Replayer::Produce(const relay::OutboxRow& row, std::int64_t id) {
  if (id <= last_ && !again_.contains(id)) return true;  // Kafka has it
  auto news = SteadyClock::now();
  auto acknowledged = acknowledged_;
  for (;;) {
    Drain();
    const auto produced = TryProduce(row, id);
    if (produced == kafka::Produced::kQueued) return !again_.contains(id) || AwaitOne(id);
    const std::string event = fmt::format("event {}", row.event_id);
    if (produced == kafka::Produced::kTooLarge) {
      throw Failure(event + " is larger than Kafka messages may be");
    }
    if (produced == kafka::Produced::kUnknownTopic) {
      const std::string_view topic = to_topic_.empty() ? row.topic : to_topic_;
      throw Failure(fmt::format("{}: there is no topic {}", event, topic));
    }
    const auto now = SteadyClock::now();
    if (std::exchange(acknowledged, acknowledged_) != acknowledged_) news = now;
    if (now - news > kPatience) throw kafka::Fault(kTimedOut, event + ": no kafka broker answers");
    if (!on_wait_()) return false;
    std::this_thread::sleep_for(kPause);
  }
}

bool Replayer::AwaitOne(std::int64_t id) {
  const auto end = SteadyClock::now() + kPatience;
  while (in_flight_.contains(id)) {
    if (SteadyClock::now() > end) throw kafka::Fault(kTimedOut, "no kafka broker answers");
    if (!on_wait_()) return false;
    std::this_thread::sleep_for(kPause);
    Drain();
  }
  again_.erase(id);
  return true;
}

kafka::Produced Replayer::TryProduce(const relay::OutboxRow& row, std::int64_t id) {
  // The table does not tell the position of the commit.
  const auto built = headers_.Build(row, source_, {});
  if (!built) throw Failure(built.error());
  kafka::Headers headers((*built)->size() + 1);
  for (const auto& [name, value] : **built) headers.Add(name, value);
  headers.Add(kReplayHeader, "1");
  const auto produced =
      producer_->Produce({.topic = to_topic_.empty() ? row.topic : std::string_view(to_topic_),
                          .key = row.key,
                          .value = row.payload,
                          .token = static_cast<std::uint64_t>(id)},
                         headers);
  if (produced == kafka::Produced::kQueued) {
    in_flight_.insert(id);
    last_ = std::max(last_, id);
  }
  return produced;
}

void Replayer::OnDelivery(const kafka::Delivery& delivery) {
  if (!delivery.ok()) {
    throw Refusal(
        fmt::format("kafka refused event {}: {}", delivery.Header("ce_id"), delivery.Reason()));
  }
  in_flight_.erase(static_cast<std::int64_t>(delivery.token));
  ++acknowledged_;
}

void Replayer::Drain() {
  try {
    (void)producer_->Drain([this](const kafka::Delivery& delivery) { OnDelivery(delivery); });
  } catch (const kafka::FatalFault& fault) {
    Throw(fault);
  }
}

void Replayer::Throw(const kafka::FatalFault& fault) {
  const auto end = SteadyClock::now() + kRefusalNews;
  while (SteadyClock::now() < end) {
    try {
      (void)producer_->Drain([this](const kafka::Delivery& delivery) { OnDelivery(delivery); });
    } catch (const kafka::FatalFault&) {  // it is dead, which we know
    }
    std::this_thread::sleep_for(kPause);
  }
  throw fault;
}

bool Replayer::Finish(milliseconds limit) {
  const auto end = SteadyClock::now() + limit;
  while (producer_->InFlight() > 0 && SteadyClock::now() < end) {
    try {
      (void)producer_->Flush(kBeat,
                             [this](const kafka::Delivery& delivery) { OnDelivery(delivery); });
    } catch (const kafka::FatalFault& fault) {
      Throw(fault);
    }
    (void)on_wait_();
  }
  return in_flight_.empty();
}

}  // namespace countersign::ctl
