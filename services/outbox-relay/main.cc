#include "libs/process/process.h"
#include "services/outbox-relay/app.h"
#include "services/outbox-relay/config.h"

int main(int argc, char** argv) {
  return countersign::process::Main<countersign::relay::Config, countersign::relay::App>(
      {.name = "countersign-relay",
       .purpose = "Streams committed events from PostgreSQL's WAL to Kafka, in commit order",
       .env_prefix = "RELAY"},
      argc, argv);
}
