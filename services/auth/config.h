#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "libs/config/keys.h"
#include "libs/process/process.h"
#include "libs/rpc/channel_settings.h"
#include "libs/rpc/server.h"
#include "libs/service/database.h"
#include "services/auth/domain/channel.h"
#include "services/auth/domain/send_limit.h"
#include "services/auth/domain/session_terms.h"

namespace countersign::auth {

inline constexpr char kDatabaseRole[] = "countersign_auth";

// Defaults are here; every key is named once, in config.cc. What the domain has defaults for is
// kept in the notation of the keys and read back by the functions below.
struct Config {
  process::Settings process;
  rpc::ServerSettings grpc;
  rpc::ChannelSettings otp{.target = "127.0.0.1:50052"};
  std::chrono::milliseconds otp_deadline{5'000};

  service::Database database;
  int database_writers = 3;
  int database_readers = 2;

  std::string keys_directory;

  std::string issuer;
  std::vector<std::string> audiences;
  std::string client_id = "app";
  std::chrono::milliseconds access_lifetime = SessionTerms{}.access_token;
  std::chrono::milliseconds session_idle = SessionTerms{}.idle;
  std::chrono::milliseconds session_absolute = SessionTerms{}.absolute;
  std::chrono::milliseconds refresh_grace = SessionTerms{}.refresh_grace;

  std::vector<std::string> channels = {"sms", "whatsapp", "voice"};
  std::chrono::milliseconds code_life{std::chrono::minutes(5)};
  std::vector<std::string> cooldown = {"30s", "1m", "2m", "5m", "15m", "30m"};
  int codes_per_hour = SendLimit{}.per_hour;
  int codes_per_day = SendLimit{}.per_day;
};

void Bind(Config& config, config::Keys& keys);

// Of a configuration that passed the checks.
[[nodiscard]] SessionTerms SessionTermsOf(const Config& config);
[[nodiscard]] SendLimit SendLimitOf(const Config& config);
[[nodiscard]] ChannelOffer ChannelOfferOf(const Config& config);

}  // namespace countersign::auth
