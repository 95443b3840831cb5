#include "services/outbox-relay/canary.h"

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "services/outbox-relay/side_connection.h"
#include "services/outbox-relay/sql/queries.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// How late a stop, or the end of a lead, is noticed while a canary is awaited.
constexpr milliseconds kBeat{200};
constexpr milliseconds kAnswerLimit{2'000};
// One that has not come back by then is given up, and the next one is written.
constexpr std::chrono::seconds kGiveUp{60};

std::int64_t SteadyNow() { return SteadyClock::now().time_since_epoch().count(); }

}  // namespace

Canary::Canary(CanarySettings settings, const Control& control, metrics::Registry& registry,
               const log::Logger& logger)
    : settings_(std::move(settings)),
      control_(control),
      logger_(logger),
      seconds_(registry.AddGauge(
          "relay_canary_seconds",
          "From the insert of the last canary to its record in a consumer's hands")) {
  registry.AddGaugeFunction("relay_canary_overdue",
                            "1 if this relay leads and a canary has not come back within 10 s", {},
                            [this] { return Overdue(); });
  if (settings_.interval.count() == 0) return;
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

bool Canary::Wanted() const {
  const auto view = control_.Look();
  return view.standing.role == Role::kLeads && view.mode == Mode::kRunning;
}

double Canary::Overdue() const {
  const std::int64_t since = since_;
  if (since == 0) return 0;
  return SteadyClock::duration{SteadyNow() - since} > kPatience ? 1 : 0;
}

void Canary::Rest(const std::stop_token& stop, SteadyClock::time_point until) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_until(lock, stop, until, [] { return false; });
}

void Canary::Run(const std::stop_token& stop) {
  auto told = SteadyClock::time_point{};
  while (!stop.stop_requested()) {
    const auto next = SteadyClock::now() + settings_.interval;
    std::string why;
    try {
      if (!Wanted() || Fly(stop)) {
        since_ = 0;
      } else {
        why = "it has not come back";
      }
    } catch (const std::exception& fault) {
      why = fault.what();
      database_.reset();
      consumer_.reset();
    }
    if (!why.empty() && SteadyClock::now() - told > kGiveUp) {
      told = SteadyClock::now();
      logger_.Warn("the canary is in trouble", {{"why", why}});
    }
    Rest(stop, next);
  }
}

bool Canary::Fly(const std::stop_token& stop) {
  const auto begun = SteadyClock::now();
  // An earlier one that is not back yet keeps its time.
  if (since_ == 0) since_ = SteadyNow();
  if (!consumer_) Watch();
  const auto inserting = SteadyClock::now();
  const auto row = Write();
  if (!Await(row, stop)) return SteadyClock::now() - begun < kGiveUp;
  seconds_.Set(std::chrono::duration<double>(SteadyClock::now() - inserting).count());
  database_->Execute(sql::kDeleteCanaries, settings_.slot, row.id);
  return true;
}

// From here on, whatever was there before.
void Canary::Watch() {
  kafka::ConsumerSettings settings;
  settings.client = settings_.cluster;
  settings.reset = kafka::From::kEnd;
  auto consumer = std::make_unique<kafka::Consumer>(settings);
  const int partitions = consumer->Partitions(settings_.topic, kAnswerLimit);
  if (partitions == 0) throw std::runtime_error("topic " + settings_.topic + " does not exist");
  std::vector<kafka::StartAt> starts;
  for (int partition = 0; partition < partitions; ++partition) {
    const kafka::TopicPartition which{settings_.topic, partition};
    starts.push_back(
        {.partition = which, .offset = consumer->QueryWatermarks(which, kAnswerLimit).high});
  }
  consumer->Assign(starts);
  consumer_ = std::move(consumer);
}

Canary::Written Canary::Write() {
  if (!database_ || !database_->Usable()) {
    database_.emplace(BesideTheStream(settings_.database, "canary"));
  }
  const auto rows = database_->Execute(sql::kInsertCanary, settings_.topic, settings_.slot);
  const auto row = rows.Only();
  return {.event_id = row.Get<std::string>(0), .id = row.Get<std::int64_t>(1)};
}

bool Canary::Await(const Written& row, const std::stop_token& stop) {
  const auto end = SteadyClock::now() + kGiveUp;
  while (!stop.stop_requested() && Wanted() && SteadyClock::now() < end) {
    const auto record = consumer_->Poll(kBeat);
    if (record && record->Header("ce_id") == row.event_id) return true;
  }
  return false;
}

}  // namespace countersign::relay
