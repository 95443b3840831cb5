#include "services/otp/flows/give_up_overdue.h"

#include <chrono>
#include <utility>

#include "services/otp/events.h"

namespace countersign::otp {
namespace {

constexpr int kAtOnce = 256;
constexpr std::chrono::seconds kLimit{5};

}  // namespace

GiveUpOverdueFlow::GiveUpOverdueFlow(pg::ConnectionSettings database, Parts parts)
    : database_(std::move(database)), parts_(parts) {}

void GiveUpOverdueFlow::Run() {
  try {
    if (!connection_ || !connection_->Usable()) {
      connection_ = std::make_unique<pg::Connection>(database_);
    }
    for (const auto& send : store::FindOverdueSends(*connection_, kAtOnce)) GiveUp(send);
  } catch (const pg::Unavailable&) {
    connection_.reset();
  } catch (const pg::Fault& fault) {
    parts_.logger.Warn("overdue sends could not be looked for", {{"detail", fault.what()}});
  }
}

void GiveUpOverdueFlow::GiveUp(const store::OverdueSend& send) {
  store::FinishSend command{.event_id = send.event_id,
                            .attempt_id = send.attempt_id,
                            .state = DeliveryState::kUnknown,
                            .provider_sid = {},
                            .provider_code = 0,
                            .reason_class = {},
                            .log_event_id = parts_.ids.Next(),
                            .event = events::kUnknown,
                            .payload = ToJson(DeliveryEvent{.send_event_id = send.event_id,
                                                            .challenge_id = send.challenge_id,
                                                            .subject_id = send.subject_id,
                                                            .channel = send.channel,
                                                            .provider = send.provider}),
                            .headers = EventHeaders({})};
  parts_.finishes.Submit(
      std::string(AsText(send.subject_id.value.bytes)), std::move(command),
      std::chrono::steady_clock::now() + kLimit,
      [this, event_id = ToString(send.event_id)](const Result<DeliveryState>& state) {
        if (!state) return;  // the next time
        if (*state == DeliveryState::kUnknown) parts_.observer.Ended(*state);
        parts_.logger.Warn("the process of a send died: given up",
                           {{"event_id", event_id}, {"outcome", ToString(*state)}});
      });
}

}  // namespace countersign::otp
