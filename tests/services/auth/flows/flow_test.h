#pragma once
// Promises of the sign-in flows, tried on a real PostgreSQL with real threads and with the rights
// of the service's own role.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#include "tests/services/auth/flows/installation.h"
#include "tests/services/auth/flows/log_rows.h"
#include "tests/services/auth/flows/owner.h"
#include "tests/support/database.h"

namespace countersign::auth {

// Runs `call(0)` … `call(count - 1)` on as many threads, all let go at once; answers in that order.
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

// The reason's word, or "OK".
template <typename T>
[[nodiscard]] std::string WordOf(const Result<T>& result) {
  return result ? "OK" : std::string(result.error().reason->word);
}
template <typename T>
[[nodiscard]] std::ptrdiff_t CountOf(const std::vector<Result<T>>& results, std::string_view word) {
  return std::count_if(results.begin(), results.end(),
                       [&](const Result<T>& result) { return WordOf(result) == word; });
}
// For a failed assertion: every word with how often it came.
template <typename T>
[[nodiscard]] std::string WordsOf(const std::vector<Result<T>>& results) {
  std::map<std::string, int> counts;
  for (const Result<T>& result : results)
    ++counts[result ? "OK" : WordOf(result) + " (" + result.error().detail + ")"];
  std::string words;
  for (const auto& [word, count] : counts) words += word + " x" + std::to_string(count) + "; ";
  return words;
}

// An account with a session.
struct Person {
  std::string phone;
  UserId user_id;
  SessionTokens tokens;
};

class FlowTest : public support::PgTest {
 protected:
  // The tests of a suite share keys and one installation: its eleven connections take longer to
  // make than most tests to run.
  static void SetUpTestSuite() {
    if (support::ServerConninfo().empty()) return;
    keys_ = std::make_unique<Keys>();
    otp_ = std::make_unique<ScriptedVerifier>();
    auth_ = NewInstallation();
  }
  static void TearDownTestSuite() {
    auth_.reset();
    otp_.reset();
    keys_.reset();
  }
  void SetUp() override {
    PgTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    otp_->BeginAnew();
    pg::ConnectionSettings as_owner = Settings();
    as_owner.statement_timeout = std::chrono::seconds(60);
    owner_ = std::make_unique<Owner>(as_owner);
  }

  // With the rights of the service. The limits are longer than in production: these tests ask who
  // wins, not how fast the machine is just now.
  [[nodiscard]] static pg::ConnectionSettings AsService() {
    pg::ConnectionSettings settings = Settings("countersign_auth");
    settings.lock_timeout = std::chrono::seconds(10);
    settings.statement_timeout = std::chrono::seconds(15);
    return settings;
  }
  // A further replica.
  [[nodiscard]] static std::unique_ptr<Installation> NewInstallation(
      InstallationOptions options = {}) {
    return std::make_unique<Installation>(AsService(), *keys_, *otp_, std::move(options));
  }
  [[nodiscard]] Installation& auth() { return *auth_; }
  [[nodiscard]] Owner& owner() { return *owner_; }
  [[nodiscard]] Keys& keys() { return *keys_; }
  [[nodiscard]] ScriptedVerifier& otp() { return *otp_; }

  // Possible, never asked for before.
  [[nodiscard]] static std::string NewPhone() {
    static std::atomic<int> last = 0;
    return "+49151" + std::to_string(20'000'000 + ++last);
  }
  // Throws std::runtime_error with the refusal's word if there is none.
  template <typename T>
  static T Must(Result<T> result) {
    if (!result) throw std::runtime_error(WordOf(result) + ": " + result.error().detail);
    return *std::move(result);
  }

  [[nodiscard]] std::string IdOfSignUp(const std::string& phone) {
    return Must(auth().SignUp({.phone_number = phone})).verification_id.Reveal();
  }
  [[nodiscard]] std::string IdOfLogIn(const std::string& phone) {
    return Must(auth().LogIn(phone)).verification_id.Reveal();
  }
  // Signs up and verifies. The number has no cooldown then, but the code counts as one of the hour.
  [[nodiscard]] Person NewPerson() {
    std::string phone = NewPhone();
    auto begun = Must(auth().Verify(IdOfSignUp(phone), kRightCode));
    return {std::move(phone), begun.user_id, std::move(begun.tokens)};
  }

  // Everything the number's limit remembers happened that much earlier.
  void LetPass(const std::string& phone, std::string_view interval) {
    owner().Run(
        "UPDATE auth.numbers SET next_send_at = next_send_at - $2::interval,"
        " hour_started_at = hour_started_at - $2::interval,"
        " day_started_at = day_started_at - $2::interval"
        " WHERE phone_hash = $1",
        HashOf(phone), interval);
  }
  [[nodiscard]] Hash HashOf(const std::string& phone) {
    return keys().phone.Current()->material.SignParts({AsBytes(phone)});
  }
  [[nodiscard]] std::string SubjectOf(const std::string& phone) {
    return owner().One<std::string>("SELECT subject_id FROM auth.numbers WHERE phone_hash = $1",
                                    HashOf(phone));
  }
  [[nodiscard]] std::string StatusOf(const std::string& phone) {
    return owner().One<std::string>("SELECT status FROM auth.users WHERE phone = $1", phone);
  }
  [[nodiscard]] std::int64_t UsersOf(const std::string& phone) {
    return owner().One<std::int64_t>("SELECT count(*) FROM auth.users WHERE phone = $1", phone);
  }
  [[nodiscard]] std::int64_t SendsTo(const std::string& phone) {
    return owner().One<std::int64_t>(
        "SELECT count(*) FROM auth.event_log l JOIN auth.numbers n ON l.key = n.subject_id::text"
        " WHERE n.phone_hash = $1 AND l.type = 'otp.send' AND l.topic = 'verification'",
        HashOf(phone));
  }
  [[nodiscard]] std::int64_t SessionsOf(const UserId& user_id) {
    return owner().One<std::int64_t>("SELECT count(*) FROM auth.sessions WHERE user_id = $1",
                                     user_id);
  }

  // Until there are exactly so many connections to the database, the owner's among them: those of
  // installations that have gone are closed, those of the new ones made.
  void WaitForConnections(std::int64_t count) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (owner().One<std::int64_t>("SELECT count(*) FROM pg_stat_activity"
                                     " WHERE datname = current_database()") != count) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "never exactly " << count;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

 private:
  static inline std::unique_ptr<Keys> keys_;
  static inline std::unique_ptr<ScriptedVerifier> otp_;
  static inline std::unique_ptr<Installation> auth_;
  std::unique_ptr<Owner> owner_;
};

}  // namespace countersign::auth
