#include "services/outbox-relay/domain/refusals.h"

#include <utility>

namespace countersign::relay {

void Refusals::Suspect(std::string_view event_id, Refusal refusal, std::size_t in_flight) {
  const bool alone = suspect_ && suspect_->alone == event_id;
  suspect_ = Suspected{.event_id = std::string(event_id),
                       .refusal = std::move(refusal),
                       .refused_alone = alone,
                       .to_send_alone = in_flight};
}

void Refusals::BeginAgain() {
  if (!suspect_) return;
  suspect_->reached = false;
  suspect_->alone.clear();
}

bool Refusals::MayGo(std::string_view event_id, std::size_t in_flight) {
  if (!suspect_) return true;
  if (suspect_->event_id == event_id) suspect_->reached = true;
  if (!suspect_->reached) return true;
  if (in_flight > 0) return false;
  if (suspect_->to_send_alone == 0) {
    suspect_.reset();
    return true;
  }
  --suspect_->to_send_alone;
  suspect_->alone = event_id;
  return true;
}

void Refusals::Forget(std::string_view event_id) {
  if (suspect_ && suspect_->event_id == event_id) suspect_.reset();
}

void Refusals::RefuseTopic(std::string_view topic, const std::string& why) {
  topics_.emplace(topic, why);
}

void Refusals::TryAgain(std::string_view topic) {
  if (const auto found = topics_.find(topic); found != topics_.end()) topics_.erase(found);
}

std::optional<Refusals::Refusal> Refusals::Find(std::string_view topic,
                                                std::string_view event_id) const {
  if (const auto found = topics_.find(topic); found != topics_.end()) {
    return Refusal{.why = found->second};
  }
  if (!suspect_ || !suspect_->refused_alone || suspect_->event_id != event_id) return std::nullopt;
  return suspect_->refusal;
}

}  // namespace countersign::relay
