#pragma once
// Configuration of the ways to reach a person. Defaults are here; every key is named once, in
// config.cc, and messages to the operator use the same names.
#include <chrono>
#include <string>
#include <string_view>

#include "libs/config/keys.h"
#include "libs/core/secret.h"

namespace countersign::otp::providers {

// One Verify service per purpose: the provider keeps one code per service and number, so purposes
// that share a service would share their codes.
struct VerifyServices {
  std::string signup;
  std::string login;
};

struct TwilioConfig {
  std::string account_sid;
  std::string api_key;             // empty: the secret is the auth token of the account itself
  Secret<std::string> api_secret;  // of the API key
  VerifyServices verify_services;
  std::string from;  // a number, short code or name of ours; or else:
  std::string messaging_service_sid;
  std::string status_callback;  // where Twilio reports deliveries; empty for nowhere
  std::string verify_url = "https://verify.twilio.com";
  std::string api_url = "https://api.twilio.com";
  bool allow_insecure_urls = false;
  std::string ca_file;
  std::string proxy;
  std::chrono::milliseconds connect_timeout{3'000};
  std::chrono::milliseconds request_timeout{10'000};
  int max_in_flight = 512;
};

struct Config {
  std::string provider = "twilio-verify";
  TwilioConfig twilio;
  std::string message_text = "{code} is your verification code. It is valid for {minutes} min.";
  std::string codes_file;  // development only
};

void Bind(Config& config, config::Keys& keys);

// The following say what is wrong and with which key, or nothing. None shows a secret.

// What does not depend on the outside: addresses and text. Checked when the configuration is read
// and again when a provider is made.
[[nodiscard]] std::string FaultOf(const Config& config);
// Missing or malformed account, key or secret.
[[nodiscard]] std::string CredentialFault(const TwilioConfig& config);
// Missing, or not `prefix` and 32 hexadecimal digits.
[[nodiscard]] std::string SidFault(std::string_view key, std::string_view sid,
                                   std::string_view prefix);

}  // namespace countersign::otp::providers
