#include "services/otp/providers/config.h"

#include <fmt/format.h>

#include "libs/http/url.h"
#include "services/otp/providers/message_text.h"
#include "services/otp/providers/twilio_sid.h"

namespace countersign::otp::providers {
namespace {

// A name that resolves to this machine is as good as its address for a test server left in the
// configuration; a name of somebody else's is not recognised, but then TLS must vouch for it.
std::string UrlFault(std::string_view key, const std::string& url, bool allow_insecure) {
  const auto parts = http::ParseBaseUrl(url);
  if (!parts) return fmt::format("{}: not an absolute http or https address", key);
  if (allow_insecure) return {};
  if (parts->scheme != "https") {
    return fmt::format("{}: not https; only twilio.allow_insecure_urls permits that", key);
  }
  if (http::IsLoopback(parts->host)) {
    return fmt::format("{}: this machine; only twilio.allow_insecure_urls permits that", key);
  }
  return {};
}

void BindTwilio(TwilioConfig& twilio, config::Keys& keys) {
  keys.Text("twilio.account_sid", twilio.account_sid, {.help = "Account; begins with AC."});
  keys.Text("twilio.api_key", twilio.api_key,
            {.help = "API key; begins with SK. Empty: the account itself with its auth token."});
  keys.Hidden("twilio.api_secret", twilio.api_secret,
              {.help = "Secret of the API key, or the account's auth token."});
  keys.Text(
      "twilio.verify_services.signup", twilio.verify_services.signup,
      {.help = "Verify service for sign-up codes; begins with VA. Each purpose needs its own."});
  keys.Text("twilio.verify_services.login", twilio.verify_services.login,
            {.help = "Verify service for log-in codes; begins with VA."});
  keys.Text("twilio.from", twilio.from,
            {.help = "Sender of messages: number, short code or name; or "
                     "twilio.messaging_service_sid."});
  keys.Text("twilio.messaging_service_sid", twilio.messaging_service_sid,
            {.help = "Pool of senders; begins with MG. Or twilio.from."});
  keys.Text("twilio.status_callback", twilio.status_callback,
            {.help = "Where Twilio reports deliveries of messages; empty: nowhere."});
  keys.Text("twilio.verify_url", twilio.verify_url, {.help = "Address of Verify."});
  keys.Text("twilio.api_url", twilio.api_url, {.help = "Address of the messages API."});
  keys.Flag("twilio.allow_insecure_urls", twilio.allow_insecure_urls,
            {.help = "Allow addresses without TLS or on this machine; for tests."});
  keys.Text("twilio.ca_file", twilio.ca_file,
            {.help = "PEM file of authorities to trust; empty: the system's."});
  keys.Text("twilio.proxy", twilio.proxy, {.help = "HTTP proxy on the way; empty: none."});
  keys.Duration("twilio.connect_timeout", twilio.connect_timeout,
                {.help = "Longest time to connect.", .min = "10ms", .max = "30s"});
  keys.Duration("twilio.request_timeout", twilio.request_timeout,
                {.help = "Longest time of one request; beyond, its outcome is unknown.",
                 .min = "100ms",
                 .max = "60s"});
  keys.Integer(
      "twilio.max_in_flight", twilio.max_in_flight,
      {.help = "Requests under way at once, and connections; more than consumer.in_flight, so that "
               "checks of codes find room beside the sends.",
       .min = "1",
       .max = "4096"});
}

}  // namespace

void Bind(Config& config, config::Keys& keys) {
  keys.Text("provider", config.provider,
            {.help = "How codes are sent; log sends nothing and is for development.",
             .only = {"twilio-verify", "twilio-messaging", "log"}});
  keys.Text("message.text", config.message_text,
            {.help = "Text of a message with a code of ours; {code} comes before any number, "
                     "{minutes} is its remaining life."});
  BindTwilio(config.twilio, keys);
  keys.Text("development.codes_file", config.codes_file,
            {.help = "With provider log: file (mode 0600) that receives every code and number."});
  keys.Check([&config] { return FaultOf(config); });
}

std::string FaultOf(const Config& config) {
  const TwilioConfig& twilio = config.twilio;
  if (auto fault = MessageText::FaultOf(config.message_text); !fault.empty()) {
    return "message.text: " + fault;
  }
  const bool insecure = twilio.allow_insecure_urls;
  if (auto fault = UrlFault("twilio.verify_url", twilio.verify_url, insecure); !fault.empty()) {
    return fault;
  }
  if (auto fault = UrlFault("twilio.api_url", twilio.api_url, insecure); !fault.empty()) {
    return fault;
  }
  if (!twilio.status_callback.empty() && !http::ParseBaseUrl(twilio.status_callback)) {
    return "twilio.status_callback: not an absolute address without query";
  }
  // Credentials in it would show wherever the configuration does.
  if (!twilio.proxy.empty() && !http::ParseBaseUrl(twilio.proxy)) {
    return "twilio.proxy: not an absolute http or https address without credentials";
  }
  if (!config.codes_file.empty() && config.provider != "log") {
    return "development.codes_file: only provider log has it";
  }
  return {};
}

std::string SidFault(std::string_view key, std::string_view sid, std::string_view prefix) {
  if (sid.empty()) return fmt::format("{} is missing", key);
  if (IsSid(sid, prefix)) return {};
  return fmt::format("{}: not of the form {} and 32 hexadecimal digits", key, prefix);
}

std::string CredentialFault(const TwilioConfig& config) {
  if (auto fault = SidFault("twilio.account_sid", config.account_sid, "AC"); !fault.empty()) {
    return fault;
  }
  if (!config.api_key.empty()) {
    if (auto fault = SidFault("twilio.api_key", config.api_key, "SK"); !fault.empty()) return fault;
  }
  if (config.api_secret.Empty()) return "twilio.api_secret is missing";
  return {};
}

}  // namespace countersign::otp::providers
