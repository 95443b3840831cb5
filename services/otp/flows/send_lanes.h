#pragma once
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>

#include "services/otp/domain/challenge.h"

namespace countersign::otp {

// Whose turn it is to call the provider: one send of a number at a time, in the order they came,
// and no more than `slots` calls at once. Thread safe.
class SendLanes {
 public:
  using Start = std::function<void()>;
  explicit SendLanes(std::size_t slots) : free_(slots) {}

  // `start` runs with a slot as soon as one is free and every send of the same number before it has
  // left; on this thread or on the one that makes room. It must not block.
  void Enter(const SubjectId& subject, Start start);
  // The send of a number that is in may give its slot away while it waits, without being overtaken,
  void GiveSlotBack();
  // and ask for another, before those that have not begun.
  void EnterAgain(Start start);
  // It is over; its slot must have been given back.
  void Leave(const SubjectId& subject);

  // No more starts until Open.
  void Close();
  void Open();

 private:
  void StartReady();

  std::mutex mutex_;
  // Guarded by mutex_: numbers with a send that is in, and who waits behind it.
  std::map<SubjectId, std::deque<Start>> lanes_;
  std::deque<Start> ready_;
  std::size_t free_;
  bool closed_ = false;
  bool starting_ = false;
};

}  // namespace countersign::otp
