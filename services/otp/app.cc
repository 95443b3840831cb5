#include "services/otp/app.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "libs/config/load.h"
#include "libs/kafka/config.h"
#include "libs/kafka/producer.h"
#include "services/otp/events.h"
#include "services/otp/providers/make_provider.h"
#include "services/otp/store/log_partitions.h"

namespace countersign::otp {
namespace {

using std::chrono::milliseconds;

// Who has not answered by then is away.
constexpr milliseconds kBrokerLimit{2'000};
constexpr milliseconds kSelfCheckLimit{5'000};
constexpr milliseconds kSweepPause{5'000};
constexpr milliseconds kProviderWatchPause{15'000};
// Of the time to stop, for what comes after the calls under way: recording what the provider left
// open, storing offsets, leaving the group.
constexpr milliseconds kLastSteps{2'500};
// Per provider call at once: those whose intent is being written, and those that wait.
constexpr std::size_t kRecordsPerCall = 2;
// Records are small and few a second: no need for megabytes of them in memory.
constexpr int kPrefetchKbytes = 2 * 1024;

pg::ConnectionSettings DatabaseOf(const Config& config) {
  return service::SettingsOf(config.database, kDatabaseRole);
}

// A fault that waiting would not mend ends the start with exit code 78.
pg::ConnectionSettings CheckedDatabase(const Config& config) {
  pg::ConnectionSettings database = DatabaseOf(config);
  service::CheckDatabase(database, kDatabaseRole, [](pg::Connection& connection) {
    static_cast<void>(store::ReadLogDays(connection));
  });
  return database;
}

std::unique_ptr<providers::Provider> CheckedProvider(const Config& config,
                                                     const log::Logger& logger,
                                                     const Clock& clock) {
  auto provider = providers::MakeProvider(config.provider, logger, clock);
  const auto health = provider->SelfCheck(std::chrono::steady_clock::now() + kSelfCheckLimit);
  const std::string& name = provider->Describe().name;
  switch (health.status) {
    case providers::Health::Status::kMisconfigured:
      throw config::Fault("provider " + name + ": " + health.message);
    case providers::Health::Status::kUnreachable:
      logger.Warn("the provider does not answer yet",
                  {{"provider", name}, {"detail", health.message}});
      break;
    case providers::Health::Status::kReady:
      break;
  }
  return provider;
}

Batchers::Terms TermsOf(const Config& config, const providers::Capabilities& provider) {
  return {.database = CheckedDatabase(config),
          .writers = static_cast<std::size_t>(config.database_writers),
          .intent = {.provider = provider.name,
                     .max_attempts = config.code_attempts,
                     .expired = events::kExpired},
          .send = {.provider = provider.name,
                   .provider_makes_code = provider.makes_code,
                   .lease = config.send_timeout + kLeaseMargin,
                   .expired = events::kExpired},
          .guess = {.failures_per_day = config.failures_per_day,
                    .attempts_exceeded = events::kAttemptsExceeded}};
}

void CheckBrokers(const kafka::ClientSettings& client, const log::Logger& logger) {
  std::optional<kafka::Fault> refused;
  try {
    kafka::Producer probe({.client = client, .on_error = [&](const kafka::Fault& fault) {
                             if (fault.IsAuthentication()) refused = fault;
                           }});
    if (probe.Reach(kBrokerLimit)) return;
    probe.Drain([](const kafka::Delivery&) {});  // the cause is among the news
  } catch (const kafka::SettingsFault& fault) {
    throw config::Fault(fault.what());
  }
  if (refused) throw config::Fault(std::string("kafka: ") + refused->what());
  logger.Warn("no kafka broker answers yet");
}

VerificationConsumerSettings ConsumerOf(const Config& config, const log::Logger& logger) {
  VerificationConsumerSettings settings{
      .kafka = {},
      .dead_letters = {},
      .topic = config.consumer_topic,
      .max_unfinished = kRecordsPerCall * static_cast<std::size_t>(config.consumer_in_flight)};
  settings.kafka.client = kafka::ToSettings(config.kafka);
  settings.kafka.client.log = kafka::LogTo(logger);
  CheckBrokers(settings.kafka.client, logger);
  settings.kafka.group = config.consumer_group;
  settings.kafka.prefetch_kbytes = kPrefetchKbytes;
  settings.dead_letters.client = settings.kafka.client;
  return settings;
}

}  // namespace

App::App(const Config& config, process::Process& process)
    : logger_(process.logger()),
      ids_(clock_, random_),
      keys_(config.keys_directory, clock_),
      observer_(process.metrics()),
      provider_(CheckedProvider(config, process.logger(), clock_)),
      batchers_(TermsOf(config, provider_->Describe()), process.metrics()),
      log_keeper_(DatabaseOf(config), config.database.log_days_ahead,
                  {.make = store::MakeLogPartitions, .days = store::ReadLogDays}, process.logger(),
                  process.metrics()),
      deliver_({.in_flight = static_cast<std::size_t>(config.consumer_in_flight),
                .code_length = config.code_length,
                .send_timeout = config.send_timeout},
               {.intents = batchers_.intents,
                .begins = batchers_.begins,
                .finishes = batchers_.finishes,
                .code_keys = keys_.code,
                .provider = *provider_,
                .ids = ids_,
                .random = random_,
                .timer = timer_,
                .observer = observer_,
                .logger = process.logger()}),
      verify_({.guesses = batchers_.guesses,
               .verdicts = batchers_.verdicts,
               .code_keys = keys_.code,
               .provider = *provider_,
               .ids = ids_,
               .timer = timer_,
               .observer = observer_}),
      give_up_overdue_(DatabaseOf(config), {.begins = batchers_.begins,
                                            .finishes = batchers_.finishes,
                                            .ids = ids_,
                                            .observer = observer_,
                                            .logger = process.logger()}),
      guard_(config.grpc.guard, process.logger(), process.metrics(), random_),
      service_(guard_, verify_),
      server_(config.grpc, {&service_.service()}),
      consumer_(ConsumerOf(config, process.logger()), {.flow = deliver_,
                                                       .recipient_keys = keys_.recipient,
                                                       .random = random_,
                                                       .clock = clock_,
                                                       .observer = observer_,
                                                       .logger = process.logger()}),
      sweep_(kSweepPause, [this] { give_up_overdue_.Run(); }),
      provider_watch_(kProviderWatchPause, [this] { AskProviderAgain(); }),
      polling_([this, &process](const std::stop_token& stop) {
        try {
          consumer_.Run(stop);
        } catch (const std::exception& fault) {
          process.Fail(fault.what());
        }
      }) {
  // After everything that may throw: these are asked as long as the process has its endpoint.
  WatchBatchers(process.metrics(), batchers_);
  WatchKeys(process.metrics(), keys_);
  process.OnHealth("otp", [this] { return observer_.Health(); });
  process.OnHealth("database", [this] { return batchers_.Health(); });
  process.OnStop("otp", [this](Deadline deadline) { Stop(deadline); });
  process.logger().Info("serving", {{"grpc", server_.address()}});
}

App::~App() { Stop(std::chrono::steady_clock::now()); }

// Nothing new is begun; what the provider was asked ends and is recorded; then the offsets below
// what is finished are stored and the group is left.
void App::Stop(Deadline deadline) {
  polling_.request_stop();
  log_keeper_.Quit();
  const Deadline calls_end = deadline - kLastSteps;
  server_.Stop(calls_end);
  if (polling_.joinable()) polling_.join();
  if (!deliver_.Stop(calls_end)) {
    logger_.Warn("the provider is too slow for this stop: what it was asked ends as unknown");
  }
  sweep_.Stop();
  provider_watch_.Stop();
  // Ends what is still under way there; its completions are recorded below.
  provider_.reset();
  timer_.Stop();
  batchers_.Stop();
  consumer_.Leave();
}

// After an operator mended what made the provider refuse everything.
void App::AskProviderAgain() {
  if (!deliver_.halted()) return;
  const auto health = provider_->SelfCheck(std::chrono::steady_clock::now() + kSelfCheckLimit);
  if (health.status == providers::Health::Status::kReady) deliver_.Resume();
}

}  // namespace countersign::otp
