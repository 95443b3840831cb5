// What the relay does when its operator wants it to pause, to drain or to step down.
#include "services/outbox-relay/relay.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// How late a wish is noticed where nothing else wakes the relay.
constexpr milliseconds kWishPoll{100};

}  // namespace

// One try to lead. A step-down ends it as a stop of the process does: in order, with a last
// checkpoint, and the lock is free.
void Relay::Serve(const std::stop_token& stop) {
  if (!StandAside(stop)) return;
  std::stop_source term;
  const std::stop_callback with_the_process(stop, [&term] { term.request_stop(); });
  stopping_since_.reset();
  control_.BeginTerm(term);
  Session(term.get_token());
  if (stop.stop_requested() || !term.stop_requested()) return;
  Stop("stepped down");
  // What Kafka has not acknowledged is the next leader's: it must not arrive from here as well.
  if (progress_.acknowledgements().InFlight() > 0) writer_.Drop();
  control_.StandAside();
}

// False if it was stopped meanwhile.
bool Relay::StandAside(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto left = std::chrono::ceil<milliseconds>(control_.AsideUntil() - SteadyClock::now());
    if (left <= milliseconds{0}) break;
    control_.Say(Role::kSteppedAside);
    observer_.StandsBy();
    waiter_.Pause(stop, left);
  }
  control_.Say(Role::kConnecting);
  return !stop.stop_requested();
}

void Relay::MindWishes() {
  const auto& acknowledgements = progress_.acknowledgements();
  const bool streams = leadership_.stream() != nullptr;
  if (streams) {
    const auto drain = control_.WantsDrain();
    if (drain && acknowledgements.Confirmed() >= drain->target) control_.AllRead(*drain);
  }
  const bool reading = control_.MayRead() || (streams && acknowledgements.HasOpen());
  control_.Say({.role = Role::kLeads,
                .reading = reading,
                .in_flight = acknowledgements.InFlight(),
                .confirmed = acknowledgements.Confirmed(),
                .seen = leadership_.seen()});
  // Without checkpoints nothing says so but the slot.
  const bool covered = settings_.promise == Promise::kAtLeastOnce || progress_.Covered();
  observer_.Checkpointed(covered);
  if (reading || !acknowledgements.Idle()) return;
  const bool told = !streams || leadership_.told() >= acknowledgements.Confirmed();
  if (covered && told && control_.Settled()) {
    logger_.Info("drained: kafka has everything that was committed when it was asked",
                 {{"confirmed", ToString(acknowledgements.Confirmed())}});
  }
}

// Where a table is read, whose end may be far. False if it was stopped.
bool Relay::AwaitResume(const std::stop_token& stop) {
  while (!control_.MayRead() && !stop.stop_requested()) {
    writer_.Drain();
    observer_.Progress(progress_.acknowledgements(), leadership_.seen());
    leadership_.Keep();
    MindWishes();
    waiter_.Wait(kWishPoll);
  }
  return !stop.stop_requested();
}

}  // namespace countersign::relay
