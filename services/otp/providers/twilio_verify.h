#pragma once
// Twilio Verify v2: Twilio makes the code, sends it and checks it.
//
// A verification there is keyed by (service, number) and lives ten minutes. While it is pending
// another create sends the same code again, with the old expiry and the old counts; hence one
// service per purpose, and a send that replaces another cancels it first.
#include <memory>
#include <string>

#include "services/otp/providers/config.h"
#include "services/otp/providers/provider.h"
#include "services/otp/providers/twilio_api.h"

namespace countersign::otp::providers {

class TwilioVerify final : public Provider {
 public:
  TwilioVerify(TwilioConfig config, const Clock& clock);

  void Send(SendOrder order, Deadline deadline, SendDone done) override;
  void Check(CheckOrder order, Deadline deadline, CheckDone done) override;
  void Cancel(CancelOrder order, Deadline deadline, CancelDone done) override;
  // Reads each configured service. The shortest code it may make has six digits.
  [[nodiscard]] Health SelfCheck(Deadline deadline) override;
  [[nodiscard]] const Capabilities& Describe() const override { return capabilities_; }

 private:
  struct Sending;
  struct Checking;

  // Empty for a purpose without a service.
  [[nodiscard]] std::string PathOf(const std::string& purpose) const;
  void CancelNext(const std::shared_ptr<Sending>& sending);
  void Create(const std::shared_ptr<Sending>& sending, std::chrono::milliseconds delay);
  void AskWhetherConverted(const std::shared_ptr<Checking>& checking);
  [[nodiscard]] Health CheckService(std::string_view key, const std::string& sid,
                                    Deadline deadline);

  TwilioConfig config_;
  Capabilities capabilities_;
  TwilioApi api_;  // last: its end answers what is under way
};

}  // namespace countersign::otp::providers
