#pragma once
#include <sys/types.h>

#include <string>

#include "libs/endpoint/listener.h"

namespace countersign::endpoint {

// The longest path that a socket's address holds.
inline constexpr std::size_t kLongestSocketPath = 107;

// A Unix domain socket that nobody but its own user can connect to. The file goes with this object.
class LocalListener {
 public:
  // What a killed process left there is replaced; one on which somebody answers, and anything that
  // is no socket, is not. Throws std::runtime_error.
  explicit LocalListener(std::string path);
  ~LocalListener();
  LocalListener(const LocalListener&) = delete;
  LocalListener& operator=(const LocalListener&) = delete;

  // Once.
  [[nodiscard]] Descriptor TakeSocket() { return std::move(socket_); }

 private:
  std::string path_;
  Descriptor socket_;
  dev_t device_ = 0;
  ino_t file_ = 0;
};

}  // namespace countersign::endpoint
