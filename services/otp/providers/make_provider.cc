#include "services/otp/providers/make_provider.h"

#include "libs/config/load.h"
#include "services/otp/providers/log_provider.h"
#include "services/otp/providers/message_text.h"
#include "services/otp/providers/twilio_messaging.h"
#include "services/otp/providers/twilio_verify.h"

namespace countersign::otp::providers {

std::unique_ptr<Provider> MakeProvider(const Config& config, const log::Logger& logger,
                                       const Clock& clock) {
  if (const auto fault = FaultOf(config); !fault.empty()) throw config::Fault(fault);
  if (config.provider == "log") {
    return std::make_unique<LogProvider>(config.codes_file, logger, clock);
  }
  if (config.provider == "twilio-messaging") {
    return std::make_unique<TwilioMessaging>(config.twilio, MessageText(config.message_text),
                                             clock);
  }
  if (config.provider == "twilio-verify") {
    return std::make_unique<TwilioVerify>(config.twilio, clock);
  }
  throw config::Fault("provider: " + config.provider + " is none");
}

}  // namespace countersign::otp::providers
