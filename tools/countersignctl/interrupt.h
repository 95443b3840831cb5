#pragma once
#include <csignal>

namespace countersign::ctl {

// While one lives, the first Ctrl-C is only noted; a second one ends the program as ever. One at a
// time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] static bool Asked();

 private:
  struct sigaction before_ {};
};

}  // namespace countersign::ctl
