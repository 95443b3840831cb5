#pragma once
#include <chrono>
#include <string>

#include "libs/config/keys.h"
#include "libs/kafka/config.h"
#include "libs/process/process.h"
#include "libs/rpc/server.h"
#include "libs/service/database.h"
#include "services/otp/providers/config.h"

namespace countersign::otp {

inline constexpr char kDatabaseRole[] = "countersign_otp";

// Defaults are here; every key is named once, in config.cc.
struct Config {
  process::Settings process{.metrics_listen = "127.0.0.1:9466"};
  rpc::ServerSettings grpc{.listen = "127.0.0.1:50052", .tls_client_certificate = "optional"};

  service::Database database;
  int database_writers = 2;

  std::string keys_directory;

  kafka::ClientConfig kafka;
  std::string consumer_topic = "verification";
  std::string consumer_group = "countersign-otp";
  int consumer_in_flight = 256;
  std::chrono::milliseconds send_timeout{20'000};

  int code_length = 6;
  int code_attempts = 5;
  int failures_per_day = 15;

  providers::Config provider;
};

void Bind(Config& config, config::Keys& keys);

}  // namespace countersign::otp
