#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <stop_token>

namespace countersign::relay {

// The one place where the relay's thread waits: epoll on the database's socket, the producer's
// event descriptor and a wake-up of our own. Only Wake may be called from another thread.
class Waiter {
 public:
  struct Ready {
    bool readable = false;  // of any descriptor
    bool hung_up = false;   // a peer is gone
  };

  Waiter();
  ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // EPOLLIN, EPOLLOUT; the same again costs nothing.
  void Watch(int fd, std::uint32_t events);
  // Before its number can belong to something else that is watched.
  void Forget(int fd);
  // Returns after `limit` at the latest.
  Ready Wait(std::chrono::milliseconds limit);
  // All of that time, whatever happens, unless it is stopped. A stop must wake us.
  void Pause(const std::stop_token& stop, std::chrono::milliseconds limit);
  void Wake() const;

 private:
  int epoll_ = -1;
  int wake_ = -1;
  std::map<int, std::uint32_t> watched_;
};

}  // namespace countersign::relay
