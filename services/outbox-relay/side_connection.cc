#include "services/outbox-relay/side_connection.h"

namespace countersign::relay {

pg::ConnectionSettings BesideTheStream(pg::ConnectionSettings database,
                                       const std::string& purpose) {
  constexpr std::chrono::milliseconds kAnswerTime{2'000};
  database.application_name = "countersign-relay-" + purpose;
  database.statement_timeout = kAnswerTime;
  database.lock_timeout = kAnswerTime;
  database.connect_timeout = kAnswerTime;
  database.network_timeout = kAnswerTime;
  return database;
}

}  // namespace countersign::relay
