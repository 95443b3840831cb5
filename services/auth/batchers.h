#pragma once
#include <string>

#include "libs/metrics/registry.h"
#include "libs/pg/conninfo.h"
#include "services/auth/flows/code_sender.h"
#include "services/auth/flows/get_profile.h"
#include "services/auth/flows/introspect_token.h"
#include "services/auth/flows/logout.h"
#include "services/auth/flows/redeem_code.h"
#include "services/auth/flows/refresh_token.h"
#include "services/auth/flows/verification_reader.h"

namespace countersign::auth {

// All that goes to the database while serving. Each kind has connections of its own, so that none
// waits for another; they are few, because what waits together is committed together.
struct Batchers {
  struct Terms {
    pg::ConnectionSettings database;
    std::size_t writers;  // for each of sends, redemptions and refreshes
    std::size_t readers;  // for each of verifications and sessions
    store::SendTerms send;
    SessionTerms session;
  };
  // Connects in the background. The registry must outlive it.
  Batchers(const Terms& terms, metrics::Registry& registry);

  SendBatcher sends;
  CompletionBatcher redemptions;
  RefreshBatcher refreshes;
  LogoutBatcher logouts;
  VerificationReader verifications;
  SessionReader sessions;
  ProfileReader profiles;

  // Each refuses new commands and answers the accepted ones. Look-ups lead on to changes, so they
  // stop first.
  void StopLookUps();
  void StopChanges();
  // Empty, or which of them has no connection and so refuses every call.
  [[nodiscard]] std::string Health() const;
};

// Queue and connections of each. The batchers must live as long as the registry's endpoint.
void WatchBatchers(metrics::Registry& registry, const Batchers& batchers);

}  // namespace countersign::auth
