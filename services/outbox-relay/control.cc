#include "services/outbox-relay/control.h"

#include <utility>

namespace countersign::relay {
namespace {

bool Rests(Mode mode) { return mode == Mode::kPaused || mode == Mode::kDrained; }

}  // namespace

// With the lock held.
Control::View Control::Become(Mode mode) {
  const View before = LookLocked();
  mode_ = mode;
  may_read_ = mode == Mode::kRunning || mode == Mode::kDraining;
  if (!Rests(mode)) paused_since_.reset();
  if (Rests(mode) && !paused_since_) paused_since_ = std::chrono::steady_clock::now();
  ++wishes_;
  return before;
}

Control::View Control::Pause() {
  View before;
  {
    const std::lock_guard lock(mutex_);
    before = Become(mode_ == Mode::kDrained ? Mode::kDrained : Mode::kPaused);
  }
  on_wish_();
  return before;
}

Control::View Control::Resume() {
  View before;
  {
    const std::lock_guard lock(mutex_);
    before = Become(Mode::kRunning);
  }
  on_wish_();
  return before;
}

Control::View Control::Drain(Lsn target) {
  View before;
  {
    const std::lock_guard lock(mutex_);
    const bool draining = mode_ == Mode::kDraining || mode_ == Mode::kSettling;
    if (!draining) paused_before_ = Rests(mode_);
    drain_ = {.number = drain_.number + 1, .target = target};
    before = Become(Mode::kDraining);
  }
  on_wish_();
  return before;
}

Control::View Control::GiveUpDrain() {
  View before;
  {
    const std::lock_guard lock(mutex_);
    if (mode_ != Mode::kDraining && mode_ != Mode::kSettling) return LookLocked();
    before = Become(paused_before_ ? Mode::kPaused : Mode::kRunning);
  }
  on_wish_();
  return before;
}

Control::View Control::StepDown() {
  View before;
  std::stop_source term{std::nostopstate};
  {
    const std::lock_guard lock(mutex_);
    before = LookLocked();
    if (standing_.role != Role::kLeads) return before;
    aside_until_ = std::chrono::steady_clock::now() + kAside;
    term = term_;
  }
  term.request_stop();
  on_wish_();
  return before;
}

Control::View Control::Look() const {
  const std::lock_guard lock(mutex_);
  return LookLocked();
}

std::optional<Control::Drained> Control::WantsDrain() const {
  const std::lock_guard lock(mutex_);
  if (mode_ != Mode::kDraining) return std::nullopt;
  return drain_;
}

void Control::AllRead(const Drained& drain) {
  const std::lock_guard lock(mutex_);
  if (mode_ == Mode::kDraining && drain_.number == drain.number) (void)Become(Mode::kSettling);
}

bool Control::Settled() {
  {
    const std::lock_guard lock(mutex_);
    if (mode_ != Mode::kSettling) return false;
    (void)Become(Mode::kDrained);
  }
  on_wish_();
  return true;
}

void Control::Say(const Standing& standing) {
  const std::lock_guard lock(mutex_);
  standing_ = standing;
}

void Control::Say(Role role) {
  const std::lock_guard lock(mutex_);
  standing_.role = role;
  // The next stream may begin before what was read, and no checkpoint says otherwise.
  if (role == Role::kConnecting && mode_ == Mode::kSettling) (void)Become(Mode::kDraining);
  if (role != Role::kLeads) standing_.reading = false;
}

void Control::BeginTerm(std::stop_source term) {
  const std::lock_guard lock(mutex_);
  term_ = std::move(term);
}

Control::SteadyTime Control::AsideUntil() const {
  const std::lock_guard lock(mutex_);
  return aside_until_;
}

void Control::StandAside() {
  const std::lock_guard lock(mutex_);
  aside_until_ = std::chrono::steady_clock::now() + kAside;
}

}  // namespace countersign::relay
