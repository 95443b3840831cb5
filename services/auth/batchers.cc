#include "services/auth/batchers.h"

#include "libs/pg/batch_metrics.h"
#include "services/auth/events.h"

namespace countersign::auth {
namespace {

constexpr const char* kSends = "send";
constexpr const char* kRedemptions = "redeem";
constexpr const char* kRefreshes = "refresh";
constexpr const char* kLogouts = "logout";
constexpr const char* kVerifications = "verification";
constexpr const char* kSessions = "session";
constexpr const char* kProfiles = "profile";

pg::BatcherOptions Writing(metrics::Registry& registry, const char* name, std::size_t connections) {
  return {.connections = connections, .observe = pg::BatchMetrics(registry, name)};
}

pg::BatcherOptions Reading(metrics::Registry& registry, const char* name, std::size_t connections) {
  return {.connections = connections,
          .retry_connections = 1,
          .distinct_keys = false,
          .read_only = true,
          .observe = pg::BatchMetrics(registry, name)};
}

// `use` is called with the name and the batcher, for each of them.
template <typename Use>
void ForEach(const Batchers& batchers, Use use) {
  use(kSends, batchers.sends);
  use(kRedemptions, batchers.redemptions);
  use(kRefreshes, batchers.refreshes);
  use(kLogouts, batchers.logouts);
  use(kVerifications, batchers.verifications);
  use(kSessions, batchers.sessions);
  use(kProfiles, batchers.profiles);
}

}  // namespace

Batchers::Batchers(const Terms& terms, metrics::Registry& registry)
    : sends(terms.database, Writing(registry, kSends, terms.writers), SendWork(terms.send)),
      redemptions(terms.database, Writing(registry, kRedemptions, terms.writers),
                  CompletionWork({.session = terms.session,
                                  .verified = events::kUserVerified,
                                  .logged_in = events::kLoggedIn,
                                  .login_failed = events::kLoginFailed})),
      refreshes(terms.database, Writing(registry, kRefreshes, terms.writers),
                RefreshWork({.session = terms.session,
                             .refreshed = events::kRefreshed,
                             .revoked = events::kRevoked})),
      logouts(terms.database, Writing(registry, kLogouts, 1), LogoutWork(events::kLoggedOut)),
      verifications(terms.database, Reading(registry, kVerifications, terms.readers), ReadWork()),
      sessions(terms.database, Reading(registry, kSessions, terms.readers), SessionReadWork()),
      profiles(terms.database, Reading(registry, kProfiles, 1), ProfileReadWork()) {}

void Batchers::StopLookUps() {
  verifications.Stop();
  sessions.Stop();
  profiles.Stop();
}

void Batchers::StopChanges() {
  sends.Stop();
  redemptions.Stop();
  refreshes.Stop();
  logouts.Stop();
}

std::string Batchers::Health() const {
  return pg::WithoutConnection([this](auto use) { ForEach(*this, use); });
}

void WatchBatchers(metrics::Registry& registry, const Batchers& batchers) {
  ForEach(batchers, [&](const char* name, const auto& batcher) {
    pg::WatchBatcher(registry, name, batcher);
  });
}

}  // namespace countersign::auth
