#pragma once
// A stretch of network between a client and a server on this machine, which a test can cut at the
// moment it wants. Thread safe.
#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace countersign::support {

class TcpProxy {
 public:
  // Listens on a free loopback port and forwards to 127.0.0.1:`target`. Throws std::system_error.
  explicit TcpProxy(std::uint16_t target = 0);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  // Where new connections lead, for a server that must know the proxy's port before it starts.
  void Aim(std::uint16_t target) { target_ = target; }

  // The next bytes that the server sends are dropped and their connection is reset: the server has
  // done what it was asked and nobody learns of it.
  void LoseNextAnswer() { lose_next_answer_ = true; }
  // True until an answer was lost.
  [[nodiscard]] bool WaitsToLose() const { return lose_next_answer_; }
  // Resets every connection.
  void Cut();
  // While true, connections are cut and new ones are reset at once: the server is away.
  void Refuse(bool refuse);
  // While true, nothing passes in either direction: the network hangs.
  void Hang(bool hang) { hang_ = hang; }

 private:
  struct Pair {
    int client = -1;
    int server = -1;
    std::string to_server{};  // read and not yet sent on
    std::string to_client{};
  };
  void Run(const std::stop_token& stop);
  void Accept();
  enum class Fate { kOpen, kEnded, kReset };
  [[nodiscard]] Fate Forward(Pair& pair);
  // What came from `from` goes to `to`, by way of `waiting`.
  [[nodiscard]] static Fate Pass(int from, int to, std::string& waiting, std::atomic<bool>* lose);
  static void Reset(const Pair& pair);
  void Wake() const;

  std::atomic<std::uint16_t> target_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int wake_ = -1;
  std::atomic<bool> lose_next_answer_ = false;
  std::atomic<bool> refuse_ = false;
  std::atomic<bool> hang_ = false;
  std::mutex mutex_;
  std::list<Pair> pairs_;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace countersign::support
