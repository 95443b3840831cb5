#pragma once
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "services/otp/store/deliveries.h"
#include "tests/services/otp/flows/fixture.h"

namespace countersign::otp {

class DeliverCode : public OtpTest {
 protected:
  [[nodiscard]] std::size_t SendsFor(const SendIntent& intent) {
    return provider().SendsTo(PhoneOf(intent)).size();
  }
  // Answers the first sends so, and all others with success.
  void AnswerFirst(std::deque<providers::SendOutcome> outcomes) {
    provider().Answers([this, script = std::make_shared<std::deque<providers::SendOutcome>>(
                                  std::move(outcomes))](const providers::SendOrder&) {
      const std::lock_guard lock(mutex_);
      if (script->empty())
        return providers::SendOutcome{.status = providers::SendStatus::kSent, .provider_sid = "SM"};
      providers::SendOutcome outcome = script->front();
      script->pop_front();
      return outcome;
    });
  }
  template <typename T>
  [[nodiscard]] T Column(const SendIntent& intent, const std::string& column) {
    return owner().One<T>("SELECT " + column + " FROM otp.deliveries WHERE event_id = $1",
                          intent.event_id);
  }

  // For when the fixture's own connection was cut.
  std::unique_ptr<support::Owner> owner_again_;

 private:
  std::mutex mutex_;
};

}  // namespace countersign::otp
