#include "libs/process/process.h"
#include "services/auth/app.h"
#include "services/auth/config.h"

int main(int argc, char** argv) {
  return countersign::process::Main<countersign::auth::Config, countersign::auth::App>(
      {.name = "countersign-auth",
       .purpose = "Signs people up and in by phone number and one-time code; tokens and sessions",
       .env_prefix = "AUTH"},
      argc, argv);
}
