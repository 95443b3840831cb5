#pragma once
// The statements around a provider call, for many sends at once. All keyed by subject.
#include "libs/pg/batcher.h"
#include "services/otp/store/deliveries.h"

namespace countersign::otp {

using IntentBatcher = pg::Batcher<store::TakeIntent, store::TakenIntent>;
using BeginBatcher = pg::Batcher<store::BeginSend, store::BegunSend>;
using FinishBatcher = pg::Batcher<store::FinishSend, DeliveryState>;

[[nodiscard]] IntentBatcher::Work IntentWork(const store::IntentTerms& terms);
[[nodiscard]] BeginBatcher::Work BeginWork(const store::SendTerms& terms);
[[nodiscard]] FinishBatcher::Work FinishWork();

}  // namespace countersign::otp
