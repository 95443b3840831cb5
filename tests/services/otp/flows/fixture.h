#pragma once
// Promises of the otp flows, tried on a real PostgreSQL with real threads and with the rights of
// the service's own role.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <latch>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/services/otp/flows/installation.h"
#include "tests/support/database.h"
#include "tests/support/owner.h"

namespace countersign::otp {

// Runs `call(0)` ... `call(count - 1)` on as many threads, all let go at once; answers in that
// order.
template <typename Call>
auto InParallel(int count, const Call& call) {
  std::vector<std::invoke_result_t<Call, int>> answers(static_cast<std::size_t>(count));
  std::latch start(count);
  std::vector<std::jthread> threads;
  threads.reserve(answers.size());
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      answers[static_cast<std::size_t>(i)] = call(i);
    });
  }
  threads.clear();
  return answers;
}

// The verdict's word, or the refusal's reason.
[[nodiscard]] std::string WordOf(const Result<Judgement>& result);
// How often each word came: "wrong x5; exhausted x635".
[[nodiscard]] std::map<std::string, int> WordsOf(const std::vector<Result<Judgement>>& results);

// Polls until it holds; false after 20 s.
[[nodiscard]] bool Eventually(const std::function<bool()>& condition);

class OtpTest : public support::PgTest {
 protected:
  void SetUp() override;

  // With the rights of the service. The limits are longer than in production: these tests ask who
  // wins, not how fast the machine is just now.
  [[nodiscard]] static pg::ConnectionSettings AsService();
  // A further replica.
  [[nodiscard]] std::unique_ptr<Installation> NewInstallation(
      const InstallationOptions& options = {});
  [[nodiscard]] Installation& otp() { return *otp_; }
  [[nodiscard]] support::Owner& owner() { return *owner_; }
  [[nodiscard]] Keys& keys() { return *keys_; }
  [[nodiscard]] RecordingProvider& provider() { return provider_; }

  // A challenge whose code has been sent.
  [[nodiscard]] SendIntent Sent(Purpose purpose = Purpose::kSignup);
  [[nodiscard]] std::string CodeOf(const SendIntent& intent) {
    return provider_.CodeOn(PhoneOf(intent));
  }
  // Of six digits, and never the right one.
  [[nodiscard]] std::string WrongCode(const SendIntent& intent, int n = 0);

  [[nodiscard]] std::string StateOf(const SendIntent& intent);
  [[nodiscard]] int AttemptsOf(const SendIntent& intent);
  // The events of a number, in order; fails if one is malformed or seq has a gap.
  [[nodiscard]] std::vector<std::string> EventsOf(const SendIntent& intent);
  // The payload of the last event of that type.
  [[nodiscard]] std::string PayloadOf(const SendIntent& intent, std::string_view type);

 private:
  RecordingProvider provider_;
  std::unique_ptr<Keys> keys_;
  std::unique_ptr<support::Owner> owner_;
  std::unique_ptr<Installation> otp_;
};

}  // namespace countersign::otp
