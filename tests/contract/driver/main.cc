// Lets a test written in another language use a provider exactly as the otp service does: orders as
// JSON lines on standard input, outcomes as JSON lines on standard output.
//
//   provider-driver --operations     prints the API operations the providers may call
//   provider-driver                  configured by CONTRACT_PROVIDER, CONTRACT_TWILIO_…
#include <chrono>
#include <future>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "libs/config/load.h"
#include "libs/core/random.h"
#include "services/otp/providers/make_provider.h"
#include "services/otp/providers/twilio_api.h"

namespace countersign::otp::providers {
namespace {

using nlohmann::json;

Deadline Soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(10); }

std::string_view Word(SendStatus status) {
  constexpr std::string_view kWords[] = {"sent", "not_sent", "rejected", "unknown"};
  return kWords[static_cast<std::size_t>(status)];
}
std::string_view Word(CheckStatus status) {
  constexpr std::string_view kWords[] = {"approved", "wrong", "gone", "not_asked", "unknown"};
  return kWords[static_cast<std::size_t>(status)];
}
std::string_view Word(Health::Status status) {
  constexpr std::string_view kWords[] = {"ready", "misconfigured", "unreachable"};
  return kWords[static_cast<std::size_t>(status)];
}

Channel ChannelOf(const std::string& word) {
  if (word == "sms") return Channel::kSms;
  if (word == "whatsapp") return Channel::kWhatsapp;
  if (word == "voice") return Channel::kVoice;
  throw std::invalid_argument("no channel: " + word);
}

json Send(Provider& provider, Random& random, const json& order) {
  std::promise<SendOutcome> promise;
  provider.Send({.attempt_id = RandomUuid(random),
                 .to = Secret(order.at("to").get<std::string>()),
                 .purpose = order.value("purpose", "signup"),
                 .channel = ChannelOf(order.value("channel", "sms")),
                 .locale = order.value("locale", ""),
                 .code = Secret(order.value("code", "")),
                 .life = std::chrono::seconds(order.value("life_seconds", 300)),
                 .supersedes_sid = order.value("supersedes_sid", ""),
                 .supersedes_unknown = order.value("supersedes_unknown", false),
                 .traceparent = order.value("traceparent", "")},
                Soon(), [&](const SendOutcome& outcome) { promise.set_value(outcome); });
  const SendOutcome outcome = promise.get_future().get();
  return {{"status", Word(outcome.status)},
          {"sid", outcome.provider_sid},
          {"refusal", Word(outcome.refusal)},
          {"code", outcome.provider_code},
          {"detail", outcome.detail}};
}

json Check(Provider& provider, const json& order) {
  std::promise<CheckOutcome> promise;
  provider.Check({.provider_sid = order.at("sid").get<std::string>(),
                  .purpose = order.value("purpose", "signup"),
                  .code = Secret(order.at("code").get<std::string>()),
                  .answer_was_lost = order.value("answer_was_lost", false)},
                 Soon(), [&](const CheckOutcome& outcome) { promise.set_value(outcome); });
  const CheckOutcome outcome = promise.get_future().get();
  return {{"status", Word(outcome.status)}, {"detail", outcome.detail}};
}

json Cancel(Provider& provider, const json& order) {
  std::promise<CancelStatus> promise;
  provider.Cancel({.provider_sid = order.at("sid").get<std::string>(),
                   .purpose = order.value("purpose", "signup")},
                  Soon(), [&](CancelStatus status) { promise.set_value(status); });
  const bool done = promise.get_future().get() == CancelStatus::kDone;
  return {{"status", done ? "done" : "try_again"}};
}

json Perform(Provider& provider, Random& random, const json& order) {
  const auto what = order.at("do").get<std::string>();
  if (what == "send") return Send(provider, random, order);
  if (what == "check") return Check(provider, order);
  if (what == "cancel") return Cancel(provider, order);
  if (what == "self_check") {
    const Health health = provider.SelfCheck(Soon());
    return {{"status", Word(health.status)}, {"message", health.message}};
  }
  throw std::invalid_argument("no order: " + what);
}

int Run() {
  Config config;
  config::Keys keys("CONTRACT");
  Bind(config, keys);
  if (const auto exit_code = config::Load(
          {.name = "provider-driver", .purpose = "For tests", .env_prefix = "CONTRACT"}, keys, {},
          config::ProcessEnvironment(), {.out = std::cout, .err = std::cerr})) {
    return *exit_code;
  }
  const SystemClock clock;
  const log::Logger logger("provider-driver", log::Level::kWarn);
  SystemRandom random;
  const auto provider = MakeProvider(config, logger, clock);
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << Perform(*provider, random, json::parse(line)) << std::endl;
  }
  return 0;
}

int PrintOperations() {
  for (const Operation* operation : kOperations) std::cout << operation->name << '\n';
  return 0;
}

}  // namespace
}  // namespace countersign::otp::providers

int main(int argc, char** argv) {
  using namespace countersign::otp::providers;  // NOLINT(google-build-using-namespace): main only
  try {
    if (argc == 2 && std::string_view(argv[1]) == "--operations") return PrintOperations();
    return Run();
  } catch (const std::exception& fault) {
    std::cerr << "provider-driver: " << fault.what() << '\n';
    return 1;
  }
}
