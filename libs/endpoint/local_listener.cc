#include "libs/endpoint/local_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace countersign::endpoint {
namespace {

constexpr int kBacklog = 16;

[[noreturn]] void Refuse(const std::string& path, const std::string& why) {
  throw std::runtime_error("cannot listen on " + path + ": " + why);
}

Descriptor NewSocket() {
  return Descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() > kLongestSocketPath) {
    Refuse(path, "the path is longer than " + std::to_string(kLongestSocketPath) + " bytes");
  }
  path.copy(address.sun_path, path.size());
  return address;
}

// Removes what a killed process left; throws if it is anything else.
void RemoveStale(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return;
    Refuse(path, std::strerror(errno));
  }
  if (!S_ISSOCK(found.st_mode)) Refuse(path, "something that is no socket is there");
  const Descriptor probe = NewSocket();
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN) {
    Refuse(path, "another process answers there");
  }
  if (errno != ECONNREFUSED) Refuse(path, std::strerror(errno));
  if (unlink(path.c_str()) != 0 && errno != ENOENT) Refuse(path, std::strerror(errno));
}

}  // namespace

LocalListener::LocalListener(std::string path) : path_(std::move(path)), socket_(NewSocket()) {
  const sockaddr_un address = AddressOf(path_);
  RemoveStale(path_, address);
  if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Refuse(path_, std::strerror(errno));
  }
  // Before anybody can connect, which needs the listen().
  struct stat made {};
  if (chmod(path_.c_str(), S_IRUSR | S_IWUSR) != 0 || lstat(path_.c_str(), &made) != 0 ||
      listen(socket_.get(), kBacklog) != 0) {
    const std::string why = std::strerror(errno);
    unlink(path_.c_str());
    Refuse(path_, why);
  }
  device_ = made.st_dev;
  file_ = made.st_ino;
}

LocalListener::~LocalListener() {
  struct stat found {};
  // Somebody may have put another one there.
  if (lstat(path_.c_str(), &found) != 0) return;
  if (found.st_dev == device_ && found.st_ino == file_) unlink(path_.c_str());
}

}  // namespace countersign::endpoint
