#include "libs/process/process.h"
#include "services/otp/app.h"
#include "services/otp/config.h"

int main(int argc, char** argv) {
  return countersign::process::Main<countersign::otp::Config, countersign::otp::App>(
      {.name = "countersign-otp",
       .purpose = "Sends one-time codes that are asked for in Kafka, and checks them over gRPC",
       .env_prefix = "OTP"},
      argc, argv);
}
