#pragma once
// What a relay is told once, at its start.
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "libs/kafka/producer.h"
#include "libs/pg/conninfo.h"
#include "services/outbox-relay/domain/outbox_row.h"
#include "services/outbox-relay/domain/progress.h"
#include "services/outbox-relay/domain/start.h"

namespace countersign::relay {

// What becomes of an event that Kafka refuses for good.
enum class OnRefusal : std::uint8_t {
  kPark,  // it and later ones of its key wait in PostgreSQL; the stream goes on
  kHold,  // everything behind it waits
};

struct RelaySettings {
  pg::ConnectionSettings database{.conninfo = {},
                                  .application_name = "countersign-relay",
                                  // Bounds what the making of the slot waits for.
                                  .lock_timeout = std::chrono::seconds{5},
                                  .statement_timeout = std::chrono::milliseconds{0},
                                  .network_timeout = std::chrono::seconds{15}};
  Source source = Source::kWal;
  // With the table source the name of the lock and of the checkpoints only.
  std::string slot = "countersign";
  std::vector<std::string> publications = {"countersign_auth", "countersign_otp"};  // kWal
  std::vector<std::string> tables = {"auth.event_log", "otp.event_log"};            // kTable
  // How seldom tables are read in which nothing happens.
  std::chrono::milliseconds poll_max{50};
  ColumnNames columns;
  std::string source_prefix = "/countersign/";
  // A relay that gives PostgreSQL no sign of life for so long is cut off, so that another can take
  // over: it may be frozen, or its machine gone.
  std::chrono::milliseconds takeover_after{2000};
  Promise promise = Promise::kDeduplicated;
  // Without checkpoints always kNow: a start that is cut short could not be told from one that was
  // not.
  FirstStart first_start = FirstStart::kEverything;
  OnRefusal on_refusal = OnRefusal::kPark;
  // The physical replication slots of standbys: what one of them lacks is not handed to Kafka.
  // kWal only. Empty: a promoted standby may lack what Kafka has.
  std::vector<std::string> wait_for_standbys;
  // A missing topic may be made yet: so long everything waits before the key is parked.
  std::chrono::milliseconds park_after{10'000};
  std::string checkpoint_topic = "countersign.relay.checkpoints";
  kafka::ProducerSettings kafka;

  [[nodiscard]] bool Transactional() const { return promise == Promise::kTransactional; }
};

}  // namespace countersign::relay
