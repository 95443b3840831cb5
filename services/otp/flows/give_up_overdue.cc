#include "services/otp/flows/give_up_overdue.h"

#include <chrono>
#include <utility>

#include "services/otp/events.h"

namespace countersign::otp {
namespace {

constexpr int kAtOnce = 256;
constexpr std::chrono::seconds kLimit{5};
// For whoever has it in hand to say so himself.
constexpr std::chrono::seconds kGrace{60};

std::string KeyOf(const SubjectId& subject) { return std::string(AsText(subject.value.bytes)); }

std::string PayloadOf(const store::OverdueSend& send) {
  return ToJson(DeliveryEvent{.send_event_id = send.event_id,
                              .challenge_id = send.challenge_id,
                              .subject_id = send.subject_id,
                              .channel = send.channel,
                              .provider = send.provider});
}

}  // namespace

GiveUpOverdueFlow::GiveUpOverdueFlow(pg::ConnectionSettings database, Parts parts)
    : database_(std::move(database)), parts_(parts) {}

void GiveUpOverdueFlow::Run() {
  try {
    if (!connection_ || !connection_->Usable()) {
      connection_ = std::make_unique<pg::Connection>(database_);
    }
    for (const auto& send : store::FindOverdueSends(*connection_, kGrace, kAtOnce)) {
      if (send.attempt_id) {
        GiveUp(send, *send.attempt_id);
      } else {
        Expire(send);
      }
    }
  } catch (const pg::Unavailable&) {
    connection_.reset();
  } catch (const pg::Fault& fault) {
    parts_.logger.Warn("overdue sends could not be looked for", {{"detail", fault.what()}});
  }
}

void GiveUpOverdueFlow::GiveUp(const store::OverdueSend& send, const Uuid& attempt_id) {
  store::FinishSend command{.event_id = send.event_id,
                            .attempt_id = attempt_id,
                            .state = DeliveryState::kUnknown,
                            .provider_sid = {},
                            .provider_code = 0,
                            .reason_class = {},
                            .log_event_id = parts_.ids.Next(),
                            .event = events::kUnknown,
                            .payload = PayloadOf(send),
                            .headers = EventHeaders({})};
  parts_.finishes.Submit(KeyOf(send.subject_id), std::move(command),
                         std::chrono::steady_clock::now() + kLimit,
                         [this, id = ToString(send.event_id)](const Result<DeliveryState>& state) {
                           // Anything else: its own process was faster.
                           if (state == DeliveryState::kUnknown) Ended(id, *state);
                         });
}

// The statement that begins a send also finds that it is too late.
void GiveUpOverdueFlow::Expire(const store::OverdueSend& send) {
  store::BeginSend command{.event_id = send.event_id,
                           .attempt_id = parts_.ids.Next(),
                           .code_key_id = {},
                           .log_event_id = parts_.ids.Next(),
                           .payload = PayloadOf(send),
                           .headers = EventHeaders({})};
  parts_.begins.Submit(KeyOf(send.subject_id), std::move(command),
                       std::chrono::steady_clock::now() + kLimit,
                       [this, id = ToString(send.event_id)](const Result<store::BegunSend>& begun) {
                         if (begun && begun->state == DeliveryState::kExpired)
                           Ended(id, begun->state);
                       });
}

void GiveUpOverdueFlow::Ended(const std::string& event_id, DeliveryState state) const {
  parts_.observer.Ended(state);
  parts_.logger.Warn("nobody looked after a send any more",
                     {{"event_id", event_id}, {"outcome", ToString(state)}});
}

}  // namespace countersign::otp
