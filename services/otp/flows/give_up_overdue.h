#pragma once
#include <memory>
#include <string>

#include "libs/core/uuid.h"
#include "libs/log/logger.h"
#include "libs/pg/connection.h"
#include "services/otp/flows/delivery_batchers.h"
#include "services/otp/observer.h"

namespace countersign::otp {

// Gives up the provider calls whose process died: once their lease has run out they become
// `unknown`, with an event, and are never made again. Every replica may do so; each call is given
// up once. Not thread safe.
class GiveUpOverdueFlow {
 public:
  struct Parts {
    FinishBatcher& finishes;
    UuidV7& ids;
    Observer& observer;
    const log::Logger& logger;
  };
  GiveUpOverdueFlow(pg::ConnectionSettings database, Parts parts);

  // Does not wait for the statements. A database that is away is left for the next time.
  void Run();

 private:
  void GiveUp(const store::OverdueSend& send);

  const pg::ConnectionSettings database_;
  const Parts parts_;
  std::unique_ptr<pg::Connection> connection_;
};

}  // namespace countersign::otp
