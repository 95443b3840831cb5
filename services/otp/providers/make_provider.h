#pragma once
#include <memory>

#include "libs/core/clock.h"
#include "libs/log/logger.h"
#include "services/otp/providers/config.h"
#include "services/otp/providers/provider.h"

namespace countersign::otp::providers {

// The provider that `config.provider` names. Throws config::Fault for what FaultOf reports, among
// it an address that is not Twilio's and was not allowed. Whether credentials are right, SelfCheck
// tells. Logger and clock must outlive the provider.
[[nodiscard]] std::unique_ptr<Provider> MakeProvider(const Config& config,
                                                     const log::Logger& logger, const Clock& clock);

}  // namespace countersign::otp::providers
