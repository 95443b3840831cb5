#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "libs/core/clock.h"
#include "libs/core/deadline.h"
#include "libs/core/random.h"
#include "libs/core/secret.h"
#include "libs/core/traceparent.h"
#include "libs/core/uuid.h"
#include "libs/keystore/key_ring.h"
#include "libs/log/logger.h"
#include "services/otp/domain/challenge.h"
#include "services/otp/domain/delivery.h"
#include "services/otp/flows/delivery_batchers.h"
#include "services/otp/flows/send_lanes.h"
#include "services/otp/flows/timer.h"
#include "services/otp/flows/turnstile.h"
#include "services/otp/observer.h"
#include "services/otp/providers/provider.h"

namespace countersign::otp {

struct Recipient {
  Secret<std::string> phone_number;  // E.164
  bool deliver = true;               // false: a decoy
};

// One SendOtp event.
struct SendIntent {
  Uuid event_id;
  ChallengeId challenge_id;
  SubjectId subject_id;
  Purpose purpose;
  providers::Channel channel;
  std::string locale;
  int send_number = 0;
  Instant expires_at;
  std::optional<Recipient> recipient;  // empty: it cannot be opened
  Traceparent trace;
  // Set when the record belongs to another replica: nothing is begun for it here any more.
  std::shared_ptr<const std::atomic<bool>> given_away;
};

// "sms", "whatsapp", "voice".
[[nodiscard]] std::string_view ToString(providers::Channel channel);
[[nodiscard]] std::optional<providers::Channel> ParseChannel(std::string_view word);

struct DeliverySettings {
  std::size_t in_flight = 256;  // calls the provider has not answered
  int code_length = 6;
  std::chrono::milliseconds send_timeout{20'000};  // the lease is longer by kLeaseMargin
};
// For the statements around the call, so that no living call ever loses its lease.
inline constexpr std::chrono::milliseconds kLeaseMargin{30'000};

// Takes a code to a person, at most one provider call per attempt: the intent is written, then the
// HMAC of a fresh code and a lease, then the provider is called, then its answer is recorded with
// the event that says so. Each step is repeated until the database has it; only a call that
// provably never happened is made again, as long as the code lives. Thread safe.
class DeliverCodeFlow {
 public:
  enum class Taken {
    kFinished,    // nothing more will happen for this event
    kUnreadable,  // in time, but the recipient cannot be opened: nothing was done
  };
  using Done = std::function<void(Taken)>;

  struct Parts {
    IntentBatcher& intents;
    BeginBatcher& begins;
    FinishBatcher& finishes;
    keystore::MacRing& code_keys;
    providers::Provider& provider;
    UuidV7& ids;
    Random& random;
    Timer& timer;
    Observer& observer;
    const log::Logger& logger;
  };
  DeliverCodeFlow(const DeliverySettings& settings, Parts parts);

  // `done` is called once, on any thread; never if the flow was stopped or the record given away
  // first. It must not block.
  void Run(SendIntent intent, Done done);

  // The provider refuses everything for a reason an operator must mend: nothing is begun until
  // Resume. What was refused waits.
  [[nodiscard]] bool halted() const { return halted_; }
  void Resume();

  // Begins nothing any more and waits until what was begun is recorded, or for the deadline; false
  // if some is not. Idempotent.
  bool Stop(Deadline deadline);

 private:
  struct Sending;
  using SendingPtr = std::shared_ptr<Sending>;  // owned by whichever step is under way

  void Take(const SendingPtr& sending);
  void OnTaken(const SendingPtr& sending, const store::TakenIntent& taken);
  void Begin(const SendingPtr& sending);
  void SubmitBegin(const SendingPtr& sending);
  void OnBegun(const SendingPtr& sending, const store::BegunSend& begun);
  void Call(const SendingPtr& sending);
  void Record(const SendingPtr& sending, const providers::SendOutcome& outcome);
  void SubmitRecord(const SendingPtr& sending);
  void OnRecorded(const SendingPtr& sending, DeliveryState state);

  void BeginAgain(const SendingPtr& sending, std::chrono::milliseconds delay);
  void Drop(const SendingPtr& sending);
  void Finish(const SendingPtr& sending);
  void Halt(const std::string& why);
  void StoreFailed(const Error& error);
  void StoreWorks();
  void Log(const Sending& sending, DeliveryState state) const;

  [[nodiscard]] bool CountOpen();
  void DiscountOpen();
  [[nodiscard]] bool Stopping();

  const DeliverySettings settings_;
  const Parts parts_;
  SendLanes lanes_;
  Turnstile calls_;
  std::atomic<bool> halted_{false};
  std::atomic<bool> store_failing_{false};

  std::mutex mutex_;
  std::condition_variable all_recorded_;
  // Guarded by mutex_: sends between their beginning and the record of what came of them.
  std::size_t open_ = 0;
  bool stopping_ = false;
};

}  // namespace countersign::otp
