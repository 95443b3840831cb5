#include "services/auth/config.h"

#include <algorithm>
#include <optional>

namespace countersign::auth {
namespace {

using std::chrono::seconds;

std::string CheckOtp(const rpc::ChannelSettings& otp) {
  if (!otp.tls_ca.empty() && !otp.tls_certificate.empty() && !otp.tls_key.empty()) return {};
  return "otp.tls.ca, otp.tls.certificate and otp.tls.key are needed: codes are checked over "
         "mutual TLS only";
}

std::string CheckSession(const Config& config) {
  for (const auto time : {config.access_lifetime, config.session_idle, config.session_absolute,
                          config.refresh_grace, config.code_life}) {
    if (time % seconds(1) != time.zero())
      return "tokens.access_lifetime, session.* and codes.life are whole seconds";
  }
  if (config.access_lifetime >= config.session_idle)
    return "tokens.access_lifetime must be shorter than session.idle";
  if (config.session_idle > config.session_absolute)
    return "session.idle must not be longer than session.absolute";
  return {};
}

// Empty: a word is not one.
std::optional<ChannelOffer> ParseChannels(const std::vector<std::string>& words) {
  ChannelOffer offer{.offered = {}};
  for (const std::string& word : words) {
    const auto channel = ParseChannel(word);
    if (!channel || std::ranges::find(offer.offered, *channel) != offer.offered.end())
      return std::nullopt;
    offer.offered.push_back(*channel);
  }
  return offer;
}

std::optional<SendLimit> ParseSendLimit(const Config& config) {
  SendLimit limit{
      .cooldowns = {}, .per_hour = config.codes_per_hour, .per_day = config.codes_per_day};
  for (const std::string& step : config.cooldown) {
    const auto wait = config::ParseDuration(step);
    if (!wait || *wait % seconds(1) != wait->zero()) return std::nullopt;
    limit.cooldowns.push_back(std::chrono::duration_cast<seconds>(*wait));
  }
  return limit;
}

std::string CheckCodes(const Config& config) {
  if (config.channels.empty() || !ParseChannels(config.channels))
    return "channels: a list of sms, whatsapp and voice is expected, each once";
  const auto limit = ParseSendLimit(config);
  if (!limit) return "codes.cooldown: a list of whole seconds, minutes or hours is expected";
  const std::string fault = WhyUnsound(*limit);
  return fault.empty() ? "" : "codes: " + fault;
}

void BindDatabase(Config& config, config::Keys& keys) {
  service::Bind(config.database, keys, kDatabaseRole);
  keys.Integer("database.writers", config.database_writers,
               {.help = "Connections for each of code requests, code redemptions and refreshes; "
                        "log-outs have one.",
                .min = "1",
                .max = "16"});
  keys.Integer("database.readers", config.database_readers,
               {.help = "Connections for each of verification and session look-ups; profiles have "
                        "one.",
                .min = "1",
                .max = "16"});
}

void BindTokens(Config& config, config::Keys& keys) {
  keys.Text("keys.directory", config.keys_directory,
            {.help = "Folder of the key rings phone, person, recipient, claim, refresh and "
                     "signing; made by countersignctl keys init.",
             .required = true});
  keys.Text("tokens.issuer", config.issuer,
            {.help = "Claim iss: the URL this installation is known by.", .required = true});
  keys.List("tokens.audiences", config.audiences,
            {.help = "Claim aud: the services that accept the access tokens.", .required = true});
  keys.Text("tokens.client_id", config.client_id,
            {.help = "Claim client_id of the sessions begun here.", .required = true});
  keys.Duration("tokens.access_lifetime", config.access_lifetime,
                {.help = "How long an access token is good.", .min = "1m", .max = "1h"});
  keys.Duration(
      "session.idle", config.session_idle,
      {.help = "A session that is not refreshed for so long ends.", .min = "5m", .max = "30d"});
  keys.Duration("session.absolute", config.session_absolute,
                {.help = "A session ends so long after its log-in.", .min = "5m", .max = "30d"});
  keys.Duration("session.refresh_grace", config.refresh_grace,
                {.help = "For so long a replaced refresh token gets the same child again, since "
                         "an answer may be lost; a later use ends the session.",
                 .min = "0ms",
                 .max = "10s"});
  keys.Check([&config] { return CheckSession(config); });
}

void BindCodes(Config& config, config::Keys& keys) {
  keys.List("channels", config.channels,
            {.help = "Ways to send a code that this installation offers, of sms, whatsapp and "
                     "voice; the first is the default.",
             .required = true});
  keys.Duration("codes.life", config.code_life,
                {.help = "How long a code is good.", .min = "30s", .max = "10m"});  // OTP-2
  keys.List("codes.cooldown", config.cooldown,
            {.help = "Wait after the 1st, 2nd, ... code in a row for a number; the last one stays. "
                     "A right code or a new day begins a new row.",
             .required = true});
  keys.Integer("codes.per_hour", config.codes_per_hour,
               {.help = "Codes a number may be sent in an hour.", .min = "1", .max = "1000"});
  keys.Integer("codes.per_day", config.codes_per_day,
               {.help = "Codes a number may be sent in a day.", .min = "1", .max = "1000"});
  keys.Check([&config] { return CheckCodes(config); });
}

}  // namespace

void Bind(Config& config, config::Keys& keys) {
  process::Bind(config.process, keys);
  rpc::Bind(config.grpc, "grpc", keys);
  rpc::Bind(config.otp, "otp", keys);
  keys.Duration("otp.deadline", config.otp_deadline,
                {.help = "The most a check of a code may take.", .min = "100ms", .max = "1m"});
  keys.Check([&config] { return CheckOtp(config.otp); });
  BindDatabase(config, keys);
  BindTokens(config, keys);
  BindCodes(config, keys);
}

SessionTerms SessionTermsOf(const Config& config) {
  return {.access_token = std::chrono::duration_cast<seconds>(config.access_lifetime),
          .idle = std::chrono::duration_cast<seconds>(config.session_idle),
          .absolute = std::chrono::duration_cast<seconds>(config.session_absolute),
          .refresh_grace = std::chrono::duration_cast<seconds>(config.refresh_grace)};
}

SendLimit SendLimitOf(const Config& config) { return ParseSendLimit(config).value(); }

ChannelOffer ChannelOfferOf(const Config& config) { return ParseChannels(config.channels).value(); }

}  // namespace countersign::auth
