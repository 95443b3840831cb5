#pragma once
#include <unistd.h>

#include <string>
#include <utility>

namespace countersign::endpoint {

// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_ = -1;
};

struct Listener {
  Descriptor socket;
  std::string address;  // as given, with the real port
};

// Non-blocking TCP listener on a numeric address or `localhost`: "127.0.0.1:0", "[::]:9464". Throws
// std::runtime_error.
[[nodiscard]] Listener Listen(const std::string& address);

}  // namespace countersign::endpoint
