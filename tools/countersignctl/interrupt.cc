#include "tools/countersignctl/interrupt.h"

#include <atomic>

namespace countersign::ctl {
namespace {

// A signal's handler has nothing else to reach.
std::atomic<bool> asked{false};
static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace

Interrupt::Interrupt() {
  asked = false;
  struct sigaction note {};
  note.sa_handler = [](int) { asked = true; };
  note.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &note, &before_);
}

Interrupt::~Interrupt() { sigaction(SIGINT, &before_, nullptr); }

bool Interrupt::Asked() { return asked; }

}  // namespace countersign::ctl
