#pragma once
#include <string>

#include "libs/metrics/registry.h"
#include "libs/pg/conninfo.h"
#include "services/otp/flows/delivery_batchers.h"
#include "services/otp/flows/verify_otp.h"

namespace countersign::otp {

// All that goes to the database while serving. Each kind has connections of its own, so that a
// guess never waits for a send.
struct Batchers {
  struct Terms {
    pg::ConnectionSettings database;
    std::size_t writers;  // for each but the verdicts
    store::IntentTerms intent;
    store::SendTerms send;
    store::GuessTerms guess;
  };
  // Connects in the background. The registry must outlive it.
  Batchers(const Terms& terms, metrics::Registry& registry);

  IntentBatcher intents;
  BeginBatcher begins;
  FinishBatcher finishes;
  GuessBatcher guesses;
  VerdictBatcher verdicts;

  // Each refuses new commands and answers the accepted ones; what leads on to others stops first.
  void Stop();
  // Empty, or which of them has no connection and so refuses everything.
  [[nodiscard]] std::string Health() const;
};

// Queue and connections of each. The batchers must live as long as the registry's endpoint.
void WatchBatchers(metrics::Registry& registry, const Batchers& batchers);

}  // namespace countersign::otp
