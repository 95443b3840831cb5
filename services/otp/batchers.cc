#include "services/otp/batchers.h"

#include "libs/pg/batch_metrics.h"
#include "services/otp/events.h"

namespace countersign::otp {
namespace {

constexpr const char* kIntents = "intent";
constexpr const char* kBegins = "begin";
constexpr const char* kFinishes = "finish";
constexpr const char* kGuesses = "guess";
constexpr const char* kVerdicts = "verdict";

pg::BatcherOptions Writing(metrics::Registry& registry, const char* name, std::size_t connections) {
  return {.connections = connections,
          .retry_connections = 1,
          .observe = pg::BatchMetrics(registry, name)};
}

// The codes of one number are sent in the order of these answers.
pg::BatcherOptions InOrder(pg::BatcherOptions options) {
  options.answers_in_order = true;
  return options;
}

// `use` is called with the name and the batcher, for each of them.
template <typename Use>
void ForEach(const Batchers& batchers, Use use) {
  use(kIntents, batchers.intents);
  use(kBegins, batchers.begins);
  use(kFinishes, batchers.finishes);
  use(kGuesses, batchers.guesses);
  use(kVerdicts, batchers.verdicts);
}

}  // namespace

Batchers::Batchers(const Terms& terms, metrics::Registry& registry)
    : intents(terms.database, InOrder(Writing(registry, kIntents, terms.writers)),
              IntentWork(terms.intent)),
      begins(terms.database, Writing(registry, kBegins, terms.writers), BeginWork(terms.send)),
      finishes(terms.database, Writing(registry, kFinishes, terms.writers), FinishWork()),
      guesses(terms.database, Writing(registry, kGuesses, terms.writers), GuessWork(terms.guess)),
      verdicts(terms.database, Writing(registry, kVerdicts, 1),
               VerdictWork({.approved = events::kApproved,
                            .attempts_exceeded = events::kAttemptsExceeded})) {}

void Batchers::Stop() {
  intents.Stop();
  begins.Stop();
  finishes.Stop();
  guesses.Stop();
  verdicts.Stop();
}

std::string Batchers::Health() const {
  return pg::WithoutConnection([this](auto use) { ForEach(*this, use); });
}

void WatchBatchers(metrics::Registry& registry, const Batchers& batchers) {
  ForEach(batchers, [&](const char* name, const auto& batcher) {
    pg::WatchBatcher(registry, name, batcher);
  });
}

}  // namespace countersign::otp
