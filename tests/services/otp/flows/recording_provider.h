#pragma once
// A provider that remembers what it was asked and answers as it is told.
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "services/otp/flows/timer.h"
#include "services/otp/providers/provider.h"

namespace countersign::otp {

// Thread safe.
class RecordingProvider final : public providers::Provider {
 public:
  using Answer = std::function<providers::SendOutcome(const providers::SendOrder&)>;
  using CheckAnswer = std::function<providers::CheckOutcome(const providers::CheckOrder&)>;

  explicit RecordingProvider(bool makes_code = false)
      : capabilities_{.name = "recording",
                      .makes_code = makes_code,
                      .channels = {providers::Channel::kSms}} {}

  // From now on; without it every send succeeds, after `latency`.
  void Answers(Answer answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }
  void AnswersChecks(CheckAnswer answer) {
    const std::lock_guard lock(mutex_);
    check_answer_ = std::move(answer);
  }
  void Takes(std::chrono::milliseconds latency) {
    const std::lock_guard lock(mutex_);
    latency_ = latency;
  }
  // Sends, or those to one number, are taken and not answered until Release.
  void Hold(std::string phone = {}) {
    const std::lock_guard lock(mutex_);
    holding_ = true;
    held_phone_ = std::move(phone);
  }
  void Release() {
    std::vector<std::function<void()>> held;
    {
      const std::lock_guard lock(mutex_);
      holding_ = false;
      held.swap(held_);
    }
    for (const auto& answer : held) answer();
  }

  // What is held is never answered: the process that asked has died.
  void Forget() {
    const std::lock_guard lock(mutex_);
    holding_ = false;
    held_.clear();
  }

  [[nodiscard]] std::vector<providers::SendOrder> Sends() const {
    const std::lock_guard lock(mutex_);
    return sends_;
  }
  [[nodiscard]] std::vector<providers::SendOrder> SendsTo(const std::string& phone) const {
    std::vector<providers::SendOrder> found;
    for (auto& send : Sends())
      if (send.to.Reveal() == phone) found.push_back(std::move(send));
    return found;
  }
  // The newest code on that phone; empty for none.
  [[nodiscard]] std::string CodeOn(const std::string& phone) const {
    const auto sends = SendsTo(phone);
    return sends.empty() ? std::string() : sends.back().code.Reveal();
  }
  [[nodiscard]] std::vector<providers::CheckOrder> Checks() const {
    const std::lock_guard lock(mutex_);
    return checks_;
  }
  // Most sends to one number that were ever under way together.
  [[nodiscard]] int MostAtOnceToOneNumber() const {
    const std::lock_guard lock(mutex_);
    return most_to_one_;
  }
  [[nodiscard]] int MostAtOnce() const {
    const std::lock_guard lock(mutex_);
    return most_;
  }

  void Send(providers::SendOrder order, Deadline /*deadline*/, providers::SendDone done) override {
    std::unique_lock lock(mutex_);
    sends_.push_back(order);
    most_to_one_ = std::max(most_to_one_, ++to_one_[order.to.Reveal()]);
    most_ = std::max(most_, ++at_once_);
    auto answer = [this, order, done = std::move(done), make = answer_,
                   sid = "SM" + std::to_string(sends_.size())] {
      providers::SendOutcome outcome{.status = providers::SendStatus::kSent, .provider_sid = sid};
      if (make) outcome = make(order);
      {
        const std::lock_guard relock(mutex_);
        --to_one_[order.to.Reveal()];
        --at_once_;
      }
      done(outcome);
    };
    const bool held = held_phone_.empty() || held_phone_ == order.to.Reveal();
    if (holding_ && held) return held_.emplace_back(std::move(answer)), void();
    const auto latency = latency_;
    lock.unlock();
    if (latency.count() == 0) return answer();
    timer_.After(latency, std::move(answer));
  }

  void Check(providers::CheckOrder order, Deadline /*deadline*/,
             providers::CheckDone done) override {
    std::unique_lock lock(mutex_);
    checks_.push_back(order);
    const auto make = check_answer_;
    lock.unlock();
    done(make ? make(order) : providers::CheckOutcome{.status = providers::CheckStatus::kGone});
  }
  void Cancel(providers::CancelOrder /*order*/, Deadline /*deadline*/,
              providers::CancelDone done) override {
    done(providers::CancelStatus::kDone);
  }
  [[nodiscard]] providers::Health SelfCheck(Deadline /*deadline*/) override {
    return {.status = providers::Health::Status::kReady};
  }
  [[nodiscard]] const providers::Capabilities& Describe() const override { return capabilities_; }

 private:
  const providers::Capabilities capabilities_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  Answer answer_;
  CheckAnswer check_answer_;
  std::chrono::milliseconds latency_{0};
  bool holding_ = false;
  std::string held_phone_;
  std::vector<std::function<void()>> held_;
  std::vector<providers::SendOrder> sends_;
  std::vector<providers::CheckOrder> checks_;
  std::map<std::string, int> to_one_;
  int most_to_one_ = 0;
  int at_once_ = 0;
  int most_ = 0;
  Timer timer_;  // last: what it runs uses everything above
};

}  // namespace countersign::otp
