#include "services/otp/flows/delivery_batchers.h"

#include <utility>

namespace countersign::otp {
namespace {

// Another replica began a call to the same number at the same moment, which only the index saw. In
// a batch the guilty is not known: its rows are then run one by one.
std::vector<store::BegunSend> BeginUnlessBusy(pg::Connection& connection,
                                              std::span<const store::BeginSend> batch,
                                              const store::SendTerms& terms) {
  try {
    return store::BeginSends(connection, batch, terms);
  } catch (const pg::UniqueViolation&) {
    if (batch.size() > 1) throw;
    return {store::BegunSend{.state = DeliveryState::kSending}};
  }
}

}  // namespace

IntentBatcher::Work IntentWork(const store::IntentTerms& terms) {
  using Batch = std::span<const store::TakeIntent>;
  return {.statement = [terms](pg::Connection& connection, Batch batch) {
    std::vector<pg::Outcome<store::TakenIntent>> outcomes;
    outcomes.reserve(batch.size());
    for (const auto& taken : store::TakeIntents(connection, batch, terms)) {
      if (taken.undecided) {
        outcomes.emplace_back(pg::TryAgain{});
      } else {
        outcomes.emplace_back(Result<store::TakenIntent>(taken));
      }
    }
    return outcomes;
  }};
}

BeginBatcher::Work BeginWork(const store::SendTerms& terms) {
  using Batch = std::span<const store::BeginSend>;
  return {.statement = [terms](pg::Connection& connection, Batch batch) {
    std::vector<pg::Outcome<store::BegunSend>> outcomes;
    outcomes.reserve(batch.size());
    for (auto& begun : BeginUnlessBusy(connection, batch, terms))
      outcomes.emplace_back(Result<store::BegunSend>(std::move(begun)));
    return outcomes;
  }};
}

FinishBatcher::Work FinishWork() {
  using Batch = std::span<const store::FinishSend>;
  return {.statement = [](pg::Connection& connection, Batch batch) {
    std::vector<pg::Outcome<DeliveryState>> outcomes;
    outcomes.reserve(batch.size());
    for (const DeliveryState state : store::FinishSends(connection, batch))
      outcomes.emplace_back(Result<DeliveryState>(state));
    return outcomes;
  }};
}

}  // namespace countersign::otp
