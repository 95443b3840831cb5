#include "libs/http/client.h"

#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <future>
#include <map>
#include <stop_token>
#include <system_error>
#include <unordered_map>

#include "libs/core/invariant.h"
#include "libs/http/handles.h"
#include "libs/http/transfer.h"

namespace countersign::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kEventsPerTurn = 256;
constexpr milliseconds kLongestWait{1000};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "http client");
  }
  ~Descriptor() { close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// libcurl counts these calls itself; the last one to leave cleans up.
class CurlLibrary {
 public:
  CurlLibrary() { Invariant(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "libcurl starts"); }
  ~CurlLibrary() { curl_global_cleanup(); }
  CurlLibrary(const CurlLibrary&) = delete;
  CurlLibrary& operator=(const CurlLibrary&) = delete;
};

Outcome NotSent(Failure failure, std::string why) {
  return {.response = {}, .maybe_sent = false, .failure = failure, .detail = std::move(why)};
}

bool HasControlCharacter(const Header& header) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return std::ranges::any_of(header.name, is_control) ||
         std::ranges::any_of(header.value, is_control);
}

}  // namespace

std::string_view FindHeader(const Response& response, std::string_view name) {
  for (const auto& header : response.headers) {
    if (header.name.size() == name.size() &&
        strncasecmp(header.name.data(), name.data(), name.size()) == 0) {
      return header.value;
    }
  }
  return {};
}

// libcurl in its event-driven form: an epoll set tells it which connections have something, so the
// cost of a turn does not grow with the number of requests under way.
class Client::Loop {
 public:
  explicit Loop(Client& client)
      : client_(client),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        multi_(curl_multi_init()) {
    Invariant(multi_ != nullptr, "libcurl has memory for its multi handle");
    Watch(wake_.get(), EPOLLIN);
    const auto connections = static_cast<long>(client_.settings_.max_in_flight);
    curl_multi_setopt(multi_.get(), CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, connections);
    curl_multi_setopt(multi_.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &Loop::OnSocket);
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &Loop::OnTimer);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
  }

  void Wake() const {
    const std::uint64_t one = 1;
    // Can only fail when the counter is full, and then the loop is awake.
    [[maybe_unused]] const auto written = write(wake_.get(), &one, sizeof(one));
  }

  void Run(const std::stop_token& stop) {
    const std::stop_callback on_stop(stop, [this] { Wake(); });
    while (!stop.stop_requested()) {
      WaitForEvents();
      StartWaiting();
      StartDelayed();
      if (due_ && steady_clock::now() >= *due_) Act(CURL_SOCKET_TIMEOUT, 0);
      FinishDone();
    }
    AbandonAll();
  }

 private:
  void Watch(int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0) return;
    if (errno == ENOENT && epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return;
    throw std::system_error(errno, std::generic_category(), "http client: epoll_ctl");
  }

  static int OnSocket(CURL* /*easy*/, curl_socket_t fd, int what, void* self, void* /*unused*/) {
    auto& loop = *static_cast<Loop*>(self);
    if (what == CURL_POLL_REMOVE) {
      // Fails when libcurl has closed it already, which removed it as well.
      epoll_ctl(loop.epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
      return 0;
    }
    const std::uint32_t in = (what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U;
    const std::uint32_t out = (what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U;
    try {
      loop.Watch(fd, in | out);
    } catch (const std::system_error&) {
      return -1;  // libcurl fails its transfers; an exception must not pass through C
    }
    return 0;
  }

  static int OnTimer(CURLM* /*multi*/, long timeout_ms, void* self) {
    auto& loop = *static_cast<Loop*>(self);
    if (timeout_ms < 0) {
      loop.due_.reset();
    } else {
      loop.due_ = steady_clock::now() + milliseconds(timeout_ms);
    }
    return 0;
  }

  void WaitForEvents() {
    auto wake_at = steady_clock::now() + kLongestWait;
    if (due_) wake_at = std::min(wake_at, *due_);
    if (!delayed_.empty()) wake_at = std::min(wake_at, delayed_.begin()->first);
    // Rounded up, else the last fraction of a millisecond would be spent spinning.
    const auto wait =
        std::max(std::chrono::ceil<milliseconds>(wake_at - steady_clock::now()), milliseconds(0));
    std::array<epoll_event, kEventsPerTurn> events{};
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(wait.count()));
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == wake_.get()) {
        std::uint64_t ignored = 0;
        [[maybe_unused]] const auto drained = read(wake_.get(), &ignored, sizeof(ignored));
        continue;
      }
      int mask = 0;
      if ((event.events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
      if ((event.events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
      if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
      Act(event.data.fd, mask);
    }
  }

  void Act(curl_socket_t fd, int mask) {
    int running = 0;
    if (fd == CURL_SOCKET_TIMEOUT) due_.reset();
    curl_multi_socket_action(multi_.get(), fd, mask, &running);
  }

  void StartWaiting() {
    std::deque<Waiting> taken;
    {
      const std::lock_guard lock(client_.mutex_);
      taken.swap(client_.waiting_);
    }
    for (auto& waiting : taken) {
      const auto delay = waiting.request.delay;
      if (delay.count() <= 0) {
        Start(std::move(waiting));
      } else {
        delayed_.emplace(steady_clock::now() + delay, std::move(waiting));
      }
    }
  }

  void StartDelayed() {
    while (!delayed_.empty() && delayed_.begin()->first <= steady_clock::now()) {
      Start(std::move(delayed_.extract(delayed_.begin()).mapped()));
    }
  }

  void Start(Waiting waiting) {
    if (TimeLeft(waiting.deadline).count() <= 0) {
      --client_.in_flight_;
      waiting.done(NotSent(Failure::kTimeout, "came too late"));
      return;
    }
    std::unique_ptr<Transfer> transfer;
    try {
      transfer = std::make_unique<Transfer>(std::move(waiting.request), waiting.deadline,
                                            waiting.done, client_.settings_);
    } catch (const std::runtime_error& fault) {
      --client_.in_flight_;
      waiting.done(NotSent(Failure::kBroken, fault.what()));
      return;
    }
    CURL* const easy = transfer->easy();
    const CURLMcode code = curl_multi_add_handle(multi_.get(), easy);
    Invariant(code == CURLM_OK, "libcurl takes a new request");
    transfers_.emplace(easy, std::move(transfer));
  }

  void FinishDone() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      const auto found = transfers_.find(message->easy_handle);
      const auto transfer = std::move(found->second);
      transfers_.erase(found);
      curl_multi_remove_handle(multi_.get(), transfer->easy());
      --client_.in_flight_;  // before the answer, which may send the next
      transfer->Finish(code);
    }
  }

  void AbandonAll() {
    for (auto& [easy, transfer] : transfers_) {
      curl_multi_remove_handle(multi_.get(), easy);
      --client_.in_flight_;
      transfer->Abandon();
    }
    transfers_.clear();
    std::deque<Waiting> waiting;
    {
      const std::lock_guard lock(client_.mutex_);
      waiting.swap(client_.waiting_);
    }
    for (auto& [at, delayed] : delayed_) waiting.push_back(std::move(delayed));
    delayed_.clear();
    for (auto& one : waiting) {
      --client_.in_flight_;
      one.done(NotSent(Failure::kStopped, "the client stops"));
    }
  }

  Client& client_;
  CurlLibrary library_;
  Descriptor epoll_;
  Descriptor wake_;
  MultiHandle multi_;  // closing its connections still asks for epoll_
  std::optional<steady_clock::time_point> due_;
  std::multimap<steady_clock::time_point, Waiting> delayed_;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> transfers_;
};

Client::Client(Settings settings)
    : settings_(std::move(settings)),
      loop_(std::make_unique<Loop>(*this)),
      thread_([this](const std::stop_token& stop) { loop_->Run(stop); }) {}

Client::~Client() {
  thread_.request_stop();
  thread_.join();
}

void Client::Send(Request request, Deadline deadline, Done done) {
  if (std::ranges::any_of(request.headers, HasControlCharacter)) {
    done(NotSent(Failure::kBroken, "a header holds a control character"));
    return;
  }
  if (thread_.get_stop_token().stop_requested()) {
    done(NotSent(Failure::kStopped, "the client stops"));
    return;
  }
  if (++in_flight_ > settings_.max_in_flight) {
    --in_flight_;
    done(NotSent(Failure::kOverloaded, "too many requests under way"));
    return;
  }
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = waiting_.empty();
    waiting_.push_back({std::move(request), deadline, std::move(done)});
  }
  if (first) loop_->Wake();
}

Outcome Client::SendAndWait(Request request, Deadline deadline) {
  std::promise<Outcome> promise;
  auto future = promise.get_future();
  Send(std::move(request), deadline,
       [&promise](Outcome outcome) { promise.set_value(std::move(outcome)); });
  return future.get();
}

}  // namespace countersign::http
