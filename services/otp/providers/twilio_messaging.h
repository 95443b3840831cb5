#pragma once
// Twilio Programmable Messaging: our code, our text, by SMS.
#include "services/otp/providers/config.h"
#include "services/otp/providers/message_text.h"
#include "services/otp/providers/provider.h"
#include "services/otp/providers/twilio_api.h"

namespace countersign::otp::providers {

class TwilioMessaging final : public Provider {
 public:
  // `text` has no fault.
  TwilioMessaging(TwilioConfig config, MessageText text, const Clock& clock);

  void Send(SendOrder order, Deadline deadline, SendDone done) override;
  void Check(CheckOrder order, Deadline deadline, CheckDone done) override;
  void Cancel(CancelOrder order, Deadline deadline, CancelDone done) override;
  // Lists one message: that needs the same account and key as a send and costs nothing. Whether the
  // sender is ours, only a send can tell.
  [[nodiscard]] Health SelfCheck(Deadline deadline) override;
  [[nodiscard]] const Capabilities& Describe() const override { return capabilities_; }

 private:
  [[nodiscard]] http::FormFields FormOf(const SendOrder& order) const;
  [[nodiscard]] std::string Path() const;

  TwilioConfig config_;
  MessageText text_;
  Capabilities capabilities_;
  TwilioApi api_;  // last: its end answers what is under way
};

}  // namespace countersign::otp::providers
