#pragma once
// The admin socket: HTTP on a Unix domain socket, for countersignctl and for `curl --unix-socket`.
//
//   GET /status; POST /pause, /resume, /drain, /drain/cancel, /step-down
//
// Every answer is one JSON object, that of /status, and says in `found` what was before. Nothing
// here waits: how far a drain is, /status tells.
#include <string>

#include "libs/endpoint/local_listener.h"
#include "libs/endpoint/server.h"
#include "libs/log/logger.h"
#include "libs/pg/connection.h"
#include "services/outbox-relay/control.h"
#include "services/outbox-relay/domain/start.h"
#include "services/outbox-relay/observer.h"

namespace countersign::relay {

struct AdminSettings {
  std::string socket;
  pg::ConnectionSettings database;  // the relay's; asked for a position when a drain begins
  Source source = Source::kWal;
  std::string slot;
};

class Admin {
 public:
  // Throws std::runtime_error if it cannot listen. The others must outlive it.
  Admin(AdminSettings settings, Control& control, const Observer& observer,
        const log::Logger& logger);

 private:
  [[nodiscard]] endpoint::Answer Handle(const endpoint::Request& request);
  [[nodiscard]] endpoint::Answer Drain();
  [[nodiscard]] endpoint::Answer StepDown();
  // As it is now; `found` is what was before, if something was asked for.
  [[nodiscard]] endpoint::Answer Tell(const Control::View* found = nullptr) const;

  const AdminSettings settings_;
  Control& control_;
  const Observer& observer_;
  const log::Logger& logger_;
  endpoint::LocalListener listener_;
  endpoint::Server server_;  // last: it uses everything above
};

}  // namespace countersign::relay
