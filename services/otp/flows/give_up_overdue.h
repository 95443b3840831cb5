#pragma once
#include <memory>
#include <string>

#include "libs/core/uuid.h"
#include "libs/log/logger.h"
#include "libs/pg/connection.h"
#include "services/otp/flows/delivery_batchers.h"
#include "services/otp/observer.h"

namespace countersign::otp {

// Ends the intents that nobody looks after any more. Provider calls whose process died become
// `unknown` once their lease has run out, and are never made again; intents whose time passed while
// they waited become `expired`. Each with its event, and each once, however many replicas look. Not
// thread safe.
class GiveUpOverdueFlow {
 public:
  struct Parts {
    BeginBatcher& begins;
    FinishBatcher& finishes;
    UuidV7& ids;
    Observer& observer;
    const log::Logger& logger;
  };
  GiveUpOverdueFlow(pg::ConnectionSettings database, Parts parts);

  // Does not wait for the statements. A database that is away is left for the next time.
  void Run();

 private:
  void GiveUp(const store::OverdueSend& send, const Uuid& attempt_id);
  void Expire(const store::OverdueSend& send);
  void Ended(const std::string& event_id, DeliveryState state) const;

  const pg::ConnectionSettings database_;
  const Parts parts_;
  std::unique_ptr<pg::Connection> connection_;
};

}  // namespace countersign::otp
