#pragma once
// Where an operator's wishes and the relay meet: the admin socket's thread says what is wanted, the
// relay's thread obeys when it can and says how far it is.
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>

#include "libs/core/lsn.h"

namespace countersign::relay {

enum class Mode : std::uint8_t {
  kRunning,
  kPaused,
  kDraining,  // reads on, up to what was committed when it was asked
  kSettling,  // has read it and reads no further; Kafka and the checkpoint are awaited
  kDrained,   // paused, with nothing on its way
};

enum class Role : std::uint8_t {
  kConnecting,
  kStandsBy,
  kLeads,
  kSteppedAside,  // for a while it does not even ask for the lock
};

// What the relay's thread last said of itself.
struct Standing {
  Role role = Role::kConnecting;
  bool reading = false;
  std::size_t in_flight = 0;
  Lsn confirmed{};
  Lsn seen{};
};

class Control {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  struct View {
    Mode mode = Mode::kRunning;
    std::optional<SteadyTime> paused_since;  // it was asked to read no further
    Standing standing;
  };

  // So long another relay has to take over from one that steps down.
  static constexpr std::chrono::seconds kAside{5};

  // `on_wish` is called on the thread that wishes, after each change.
  explicit Control(std::function<void()> on_wish) : on_wish_(std::move(on_wish)) {}

  // Wishes; each returns what was before it. The last word counts: a pause or a resume ends a
  // drain.
  View Pause();
  View Resume();
  // Everything before `target` was committed when it was asked; with a source that knows no
  // positions, everything that the next look at the tables shows.
  View Drain(Lsn target);
  // Ends a drain that is not over, as if it had not been asked for.
  View GiveUpDrain();
  // Only a leader does; for any other nothing changes.
  View StepDown();
  [[nodiscard]] View Look() const;

  // For the relay's thread. Cheap enough to be asked for every message.
  [[nodiscard]] bool MayRead() const { return may_read_.load(std::memory_order_relaxed); }
  // Of those two, other ones after each wish.
  [[nodiscard]] std::uint64_t Wishes() const { return wishes_; }
  struct Drained {
    std::uint64_t number = 0;
    Lsn target;
  };
  // The drain for which something must be read yet.
  [[nodiscard]] std::optional<Drained> WantsDrain() const;
  // What that drain asks for was read.
  void AllRead(const Drained& drain);
  // Everything that was read is in Kafka and nothing is on its way. True if that ended a drain.
  [[nodiscard]] bool Settled();
  void Say(const Standing& standing);
  void Say(Role role);

  // A term is one try to lead: a step-down ends it.
  void BeginTerm(std::stop_source term);
  // Until when it leaves the lock to others.
  [[nodiscard]] SteadyTime AsideUntil() const;
  void StandAside();

 private:
  View Become(Mode mode);
  [[nodiscard]] View LookLocked() const { return {mode_, paused_since_, standing_}; }

  const std::function<void()> on_wish_;
  std::atomic<bool> may_read_{true};
  std::atomic<std::uint64_t> wishes_{0};

  mutable std::mutex mutex_;  // guards everything below
  Mode mode_ = Mode::kRunning;
  bool paused_before_ = false;  // when the drain was asked for
  std::optional<SteadyTime> paused_since_;
  Drained drain_;
  Standing standing_;
  std::stop_source term_{std::nostopstate};
  SteadyTime aside_until_{};
};

}  // namespace countersign::relay
