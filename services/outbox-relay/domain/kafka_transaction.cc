#include "services/outbox-relay/domain/kafka_transaction.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "libs/core/invariant.h"

namespace countersign::relay {
namespace {

// So many groups are looked through for an event's own: deliveries come nearly in order.
constexpr std::ptrdiff_t kLookBack = 4;

}  // namespace

void KafkaTransaction::Begin(Time now) {
  Invariant(!open(), "a transaction begins after the one before it ended");
  begun_ = now;
}

void KafkaTransaction::Read(Lsn end) {
  read_ = end;
  if (open()) whole_ = true;
}

void KafkaTransaction::Delivery(std::string_view topic, Instant committed, std::size_t bytes) {
  const auto end = delivered_.rbegin() + std::min(kLookBack, std::ssize(delivered_));
  const auto same = std::find_if(delivered_.rbegin(), end, [&](const auto& group) {
    return group.topic == topic && group.committed == committed;
  });
  if (same != end) {
    ++same->events;
    same->bytes += bytes;
    return;
  }
  delivered_.push_back(
      {.topic = std::string(topic), .committed = committed, .events = 1, .bytes = bytes});
}

std::vector<KafkaTransaction::Delivered> KafkaTransaction::Committed(Time now) {
  begun_.reset();
  whole_ = false;
  ended_ = now;
  return std::exchange(delivered_, {});
}

void KafkaTransaction::Lost() {
  begun_.reset();
  whole_ = false;
  delivered_.clear();
}

bool KafkaTransaction::MustEnd(Time now, std::size_t in_flight) const {
  if (!open()) return false;
  const bool separate = separate_until_.value != 0 && read_ <= separate_until_;
  return in_flight == 0 || separate || Age(now) >= kGathered;
}

}  // namespace countersign::relay
