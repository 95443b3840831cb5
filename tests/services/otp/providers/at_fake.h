#pragma once
// A provider that talks to a fake of its own, and calls that wait for their completion.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libs/core/clock.h"
#include "libs/core/random.h"
#include "services/otp/providers/make_provider.h"
#include "tests/fakes/twilio/running_fake.h"
#include "tests/fakes/twilio/steering.h"
#include "tests/support/log_sink.h"

namespace countersign::otp::providers {

inline constexpr const char* kPhone = "+4915112345678";
inline constexpr std::chrono::seconds kPatience{10};

[[nodiscard]] inline Deadline In(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

class FixedClock final : public Clock {
 public:
  [[nodiscard]] Instant Now() const override { return now; }
  Instant now{std::chrono::seconds(1'700'000'000)};  // Tue, 14 Nov 2023 22:13:20 GMT
};

// `Call` starts an operation and is handed its completion.
template <typename Outcome, typename Call>
[[nodiscard]] Outcome Await(Call&& call) {
  std::promise<Outcome> promise;
  auto future = promise.get_future();
  std::forward<Call>(call)([&promise](Outcome outcome) { promise.set_value(std::move(outcome)); });
  return future.get();
}

[[nodiscard]] inline SendOutcome SendNow(Provider& provider, SendOrder order,
                                         std::chrono::milliseconds within = kPatience) {
  return Await<SendOutcome>(
      [&](SendDone done) { provider.Send(std::move(order), In(within), std::move(done)); });
}
[[nodiscard]] inline CheckOutcome CheckNow(Provider& provider, CheckOrder order,
                                           std::chrono::milliseconds within = kPatience) {
  return Await<CheckOutcome>(
      [&](CheckDone done) { provider.Check(std::move(order), In(within), std::move(done)); });
}
[[nodiscard]] inline CancelStatus CancelNow(Provider& provider, CancelOrder order) {
  return Await<CancelStatus>(
      [&](CancelDone done) { provider.Cancel(std::move(order), In(kPatience), std::move(done)); });
}

// For suites that run once for each provider: "Verify", "Messaging".
[[nodiscard]] inline std::string NameOf(const testing::TestParamInfo<const char*>& provider) {
  return std::string(provider.param) == "twilio-verify" ? "Verify" : "Messaging";
}

class AtFake {
 public:
  explicit AtFake(const std::vector<std::string>& options = {})
      : fake(options), steering(fake.url()) {}

  [[nodiscard]] Config ConfigFor(const std::string& provider) const {
    Config config;
    config.provider = provider;
    config.twilio.account_sid = fake.account_sid();
    config.twilio.api_secret = Secret<std::string>(fake.password());
    config.twilio.verify_services = {.signup = fake.services()[0], .login = fake.services()[1]};
    config.twilio.from = "+15005550006";
    config.twilio.verify_url = fake.url();
    config.twilio.api_url = fake.url();
    config.twilio.allow_insecure_urls = true;
    return config;
  }
  [[nodiscard]] std::unique_ptr<Provider> Make(const Config& config) const {
    return MakeProvider(config, logger, clock);
  }
  [[nodiscard]] std::unique_ptr<Provider> Make(const std::string& provider) const {
    return Make(ConfigFor(provider));
  }
  // A fresh attempt; providers that make the code ignore the one given.
  [[nodiscard]] SendOrder Order(const std::string& phone = kPhone) {
    return {.attempt_id = RandomUuid(random),
            .to = Secret<std::string>(phone),
            .purpose = "signup",
            .code = Secret<std::string>("482915"),
            .life = std::chrono::seconds(300)};
  }

  twilio_fake::RunningFake fake;
  twilio_fake::Steering steering;
  FixedClock clock;
  SystemRandom random;
  tests::LogSink sink;
  log::Logger logger{"otp", log::Level::kInfo, sink.fd()};
};

}  // namespace countersign::otp::providers
