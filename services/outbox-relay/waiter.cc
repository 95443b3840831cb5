#include "services/outbox-relay/waiter.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace countersign::relay {
namespace {

int Checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

}  // namespace

Waiter::Waiter()
    : epoll_(Checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(Checked(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")) {
  Watch(wake_, EPOLLIN);
}

Waiter::~Waiter() {
  close(wake_);
  close(epoll_);
}

void Waiter::Watch(int fd, std::uint32_t events) {
  const auto known = watched_.find(fd);
  if (known != watched_.end() && known->second == events) return;
  epoll_event event{.events = events, .data = {.fd = fd}};
  Checked(epoll_ctl(epoll_, known == watched_.end() ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event),
          "epoll_ctl");
  watched_[fd] = events;
}

void Waiter::Forget(int fd) {
  if (watched_.erase(fd) > 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

Waiter::Ready Waiter::Wait(std::chrono::milliseconds limit) {
  epoll_event events[4];
  const int timeout = static_cast<int>(std::clamp<std::int64_t>(limit.count(), 0, 60'000));
  const int count = epoll_wait(epoll_, events, 4, timeout);
  Ready ready;
  for (int i = 0; i < count; ++i) {
    ready.readable = true;
    if ((events[i].events & (EPOLLHUP | EPOLLERR)) != 0) ready.hung_up = true;
    if (events[i].data.fd == wake_) {
      std::uint64_t wakes = 0;
      (void)!read(wake_, &wakes, sizeof wakes);
    }
  }
  return ready;
}

void Waiter::Pause(const std::stop_token& stop, std::chrono::milliseconds limit) {
  using SteadyClock = std::chrono::steady_clock;
  const auto end = SteadyClock::now() + limit;
  while (!stop.stop_requested() && SteadyClock::now() < end) {
    Wait(std::chrono::ceil<std::chrono::milliseconds>(end - SteadyClock::now()));
  }
}

void Waiter::Wake() const {
  const std::uint64_t one = 1;
  (void)!write(wake_, &one, sizeof one);
}

}  // namespace countersign::relay
