#pragma once
// For development: says in the log that a code would have gone out.
#include <string>

#include "libs/core/clock.h"
#include "libs/log/logger.h"
#include "services/otp/providers/provider.h"

namespace countersign::otp::providers {

// The log shows a masked number and never a code. Codes are readable only in `codes_file`, if one
// is given: one JSON object a line with at, attempt_id, purpose, to and code, mode 0600.
class LogProvider final : public Provider {
 public:
  LogProvider(std::string codes_file, const log::Logger& logger, const Clock& clock);

  void Send(SendOrder order, Deadline deadline, SendDone done) override;
  void Check(CheckOrder order, Deadline deadline, CheckDone done) override;
  void Cancel(CancelOrder order, Deadline deadline, CancelDone done) override;
  // The file can be written and is nobody else's.
  [[nodiscard]] Health SelfCheck(Deadline deadline) override;
  [[nodiscard]] const Capabilities& Describe() const override { return capabilities_; }

 private:
  // What went wrong, or nothing. One write a line, so lines of several threads do not mix.
  [[nodiscard]] std::string AppendToFile(const std::string& text) const;

  std::string codes_file_;
  const log::Logger& logger_;
  const Clock& clock_;
  Capabilities capabilities_;
};

}  // namespace countersign::otp::providers
