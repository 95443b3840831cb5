#include "tests/fakes/twilio/options.h"

#include <charconv>
#include <functional>
#include <map>
#include <stdexcept>

namespace countersign::twilio_fake {
namespace {

// What a client uses when the test does not care.
constexpr std::string_view kAccountSid = "AC00000000000000000000000000000001";
constexpr std::string_view kAuthToken = "fake-auth-token";
constexpr std::string_view kSignupService = "VA00000000000000000000000000000001";
constexpr std::string_view kLoginService = "VA00000000000000000000000000000002";

std::int64_t Number(const std::string& option, const std::string& text, std::int64_t most) {
  std::int64_t value = -1;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size() || value < 0 || value > most) {
    throw std::invalid_argument(option + ": not a number from 0 to " + std::to_string(most));
  }
  return value;
}

void SetListen(Options& options, const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) throw std::invalid_argument("--listen: HOST:PORT is needed");
  options.host = text.substr(0, colon);
  options.port = static_cast<std::uint16_t>(Number("--listen", text.substr(colon + 1), 65535));
}

void AddCredential(Options& options, const std::string& text) {
  const auto colon = text.find(':');
  if (colon == std::string::npos) throw std::invalid_argument("--credential: USER:PASSWORD");
  options.service.credentials.emplace_back(text.substr(0, colon), text.substr(colon + 1));
}

}  // namespace

Options ParseOptions(std::span<const std::string> arguments) {
  constexpr std::int64_t kMost = 86'400'000;
  Options options;
  VerifySettings& verify = options.service.verify;
  std::string auth_token(kAuthToken);
  verify.account_sid = kAccountSid;
  using Setter = std::function<void(const std::string& option, const std::string& value)>;
  const std::map<std::string, Setter> setters = {
      {"--listen", [&](const auto&, const auto& v) { SetListen(options, v); }},
      {"--port-file", [&](const auto&, const auto& v) { options.port_file = v; }},
      {"--account-sid", [&](const auto&, const auto& v) { verify.account_sid = v; }},
      {"--auth-token", [&](const auto&, const auto& v) { auth_token = v; }},
      {"--credential", [&](const auto&, const auto& v) { AddCredential(options, v); }},
      {"--verify-service", [&](const auto&, const auto& v) { verify.service_sids.push_back(v); }},
      {"--code-length",
       [&](const auto& o, const auto& v) {
         verify.code_length = static_cast<int>(Number(o, v, 10));
       }},
      {"--index-lag-ms",
       [&](const auto& o, const auto& v) {
         verify.index_lag = std::chrono::milliseconds(Number(o, v, kMost));
       }},
      {"--latency-ms",
       [&](const auto& o, const auto& v) {
         options.service.latency = std::chrono::milliseconds(Number(o, v, kMost));
       }},
      {"--seed",
       [&](const auto& o, const auto& v) {
         options.service.seed = static_cast<std::uint64_t>(Number(o, v, INT64_MAX));
       }},
  };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& option = arguments[i];
    if (option == "--help") {
      options.help = true;
    } else if (option == "--custom-codes") {
      verify.custom_codes = true;
    } else if (option == "--allow-concurrent-creates") {
      options.service.refuse_concurrent_creates = false;
    } else {
      const auto setter = setters.find(option);
      if (setter == setters.end()) throw std::invalid_argument("unknown option " + option);
      if (++i == arguments.size()) throw std::invalid_argument(option + ": a value is needed");
      setter->second(option, arguments[i]);
    }
  }
  options.service.credentials.emplace_back(verify.account_sid, auth_token);
  if (verify.service_sids.empty()) {
    verify.service_sids = {std::string(kSignupService), std::string(kLoginService)};
  }
  return options;
}

std::string_view HelpText() {
  return R"(twilio-fake: a stand-in for Twilio Verify v2 and Messages, for tests. Loopback only.

  --listen HOST:PORT            where to listen (127.0.0.1:0; port 0 picks a free one)
  --port-file FILE              write the port there once it listens
  --account-sid SID             the account (AC00000000000000000000000000000001)
  --auth-token TOKEN            its token (fake-auth-token)
  --credential USER:PASSWORD    another pair to let in, for example an API key; may be repeated
  --verify-service SID          a Verify service; may be repeated
                                (VA00000000000000000000000000000001 and …2)
  --code-length N               digits of a code (6)
  --custom-codes                the services accept CustomCode
  --allow-concurrent-creates    no 60212 for two creates of one number at once
  --index-lag-ms N              until /v2/Attempts shows an attempt (0)
  --latency-ms N                time before the effect of every call (0)
  --seed N                      makes codes and sids repeatable
  --help                        this text

Endpoints for tests: GET /_fake/messages?to=, GET /_fake/ledger?from=&to=, GET and POST /_fake/clock,
GET, POST and DELETE /_fake/faults, GET /_fake/requests, GET /_fake/stats, POST /_fake/reset.
)";
}

}  // namespace countersign::twilio_fake
