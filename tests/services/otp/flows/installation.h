#pragma once
// The flows of the otp service composed as in one process, without its edges. Several of them on
// one database are replicas.
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/keystore/provision.h"
#include "services/otp/batchers.h"
#include "services/otp/flows/deliver_code.h"
#include "services/otp/flows/give_up_overdue.h"
#include "services/otp/flows/verify_otp.h"
#include "tests/services/otp/flows/recording_provider.h"
#include "tests/support/keys/keys.h"
#include "tests/support/log_sink.h"

namespace countersign::otp {

// The key rings, made for the test; replicas share them.
struct Keys {
  SystemClock clock;
  SystemRandom random;
  test::KeyFolder folder{clock};
  keystore::MacRing code{folder.Ring(keystore::kCodeRing),
                         keystore::CurrentKey::kGreatestId,
                         clock,
                         {.at_most_every = std::chrono::milliseconds(0)}};
  keystore::SealingRing recipient{folder.Ring(keystore::kRecipientRing),
                                  keystore::CurrentKey::kOfTheDay, clock};
  UuidV7 ids{clock, random};
};

struct InstallationOptions {
  int max_attempts = 5;
  int failures_per_day = 15;
  std::size_t in_flight = 256;
  std::chrono::milliseconds lease{50'000};
};

// A number and a challenge of it, with the event that asks for a code.
[[nodiscard]] SendIntent NewIntent(Keys& keys, Purpose purpose = Purpose::kSignup);
// A further code for the same challenge.
[[nodiscard]] SendIntent Resend(Keys& keys, const SendIntent& first);
[[nodiscard]] std::string PhoneOf(const SendIntent& intent);

// Thread safe.
class Installation {
 public:
  Installation(const pg::ConnectionSettings& database, Keys& keys, RecordingProvider& provider,
               const InstallationOptions& options = {});
  ~Installation();
  Installation(const Installation&) = delete;
  Installation& operator=(const Installation&) = delete;

  // Waits until the intent is over; empty if it is not within `limit`.
  std::optional<DeliverCodeFlow::Taken> Deliver(
      const SendIntent& intent, std::chrono::milliseconds limit = std::chrono::seconds(20));
  // Does not wait. The count of those that are over.
  void Begin(const SendIntent& intent);
  [[nodiscard]] int finished() const { return finished_; }

  Result<Judgement> Verify(const SendIntent& of, const std::string& code,
                           std::optional<Hash> claim = std::nullopt);
  Result<Judgement> Verify(Guess guess);
  // A guess as auth makes it: the claim names the code. `claim` names another.
  [[nodiscard]] static Guess ToGuess(const SendIntent& of, const std::string& code,
                                     std::optional<Hash> claim = std::nullopt);

  [[nodiscard]] DeliverCodeFlow& deliver() { return deliver_; }
  [[nodiscard]] GiveUpOverdueFlow& give_up_overdue() { return give_up_overdue_; }
  [[nodiscard]] Observer& observer() { return observer_; }
  [[nodiscard]] metrics::Registry& registry() { return registry_; }
  [[nodiscard]] const tests::LogSink& log() const { return sink_; }
  [[nodiscard]] Batchers& batchers() { return batchers_; }
  [[nodiscard]] const log::Logger& logger() const { return logger_; }

 private:
  tests::LogSink sink_;
  log::Logger logger_{"otp", log::Level::kInfo, sink_.fd()};
  metrics::Registry registry_;
  Observer observer_{registry_};
  Batchers batchers_;
  Timer timer_;
  DeliverCodeFlow deliver_;
  VerifyOtpFlow verify_;
  GiveUpOverdueFlow give_up_overdue_;
  std::atomic<int> finished_ = 0;
};

}  // namespace countersign::otp
