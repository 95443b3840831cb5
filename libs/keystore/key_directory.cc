#include "libs/keystore/key_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "libs/crypto/digest.h"
#include "libs/crypto/sealed_box.h"

namespace countersign::keystore {
namespace {

[[noreturn]] void ThrowFault(const std::filesystem::path& path, const std::string& what) {
  throw KeyFault(path.string() + ": " + what);
}

[[noreturn]] void ThrowSystemFault(const std::filesystem::path& path, const std::string& step) {
  ThrowFault(path, step + ": " + std::generic_category().message(errno));
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

bool IsTrustedOwner(uid_t owner) { return owner == 0 || owner == ::geteuid(); }

void SyncDirectory(const std::filesystem::path& directory) {
  const Descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() < 0 || ::fsync(opened.get()) != 0) ThrowSystemFault(directory, "syncing");
}

void WriteAll(const std::filesystem::path& path, ByteView content) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) ThrowSystemFault(path, "creating");
  while (!content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) ThrowSystemFault(path, "writing");
    content = content.subspan(static_cast<std::size_t>(written));
  }
  if (::fsync(file.get()) != 0) ThrowSystemFault(path, "syncing");
}

}  // namespace

std::vector<KeyFile> ListKeyFiles(const std::filesystem::path& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) ThrowSystemFault(directory, "no key directory");
  if (!S_ISDIR(status.st_mode)) ThrowFault(directory, "is not a directory");
  if (!IsTrustedOwner(status.st_uid)) ThrowFault(directory, "belongs to another user");
  if ((status.st_mode & 0022) != 0) ThrowFault(directory, "is writable by group or others");

  std::error_code fault;
  std::filesystem::directory_iterator entries(directory, fault);
  if (fault) ThrowFault(directory, "cannot be read: " + fault.message());
  std::vector<KeyFile> files;
  for (const std::filesystem::directory_entry& entry : entries) {
    const std::filesystem::path& path = entry.path();
    if (path.extension() != ".key" && path.extension() != ".pem") continue;
    std::string id = path.stem().string();
    if (!crypto::IsKeyId(id)) ThrowFault(path, "the name is no key id");
    files.push_back({std::move(id), path});
    if (files.size() > kMaxKeysPerRing) ThrowFault(directory, "holds too many keys");
  }
  std::ranges::sort(files, {}, &KeyFile::id);
  const auto twice = std::ranges::adjacent_find(files, {}, &KeyFile::id);
  if (twice != files.end()) ThrowFault(twice->path, "a second file has this key id");
  return files;
}

Secret<Bytes> ReadKeyFile(const std::filesystem::path& path) {
  // O_NONBLOCK: a pipe by this name must be refused below, not waited for.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) ThrowSystemFault(path, "opening");
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) ThrowSystemFault(path, "reading");
  if (!S_ISREG(status.st_mode)) ThrowFault(path, "is not a regular file");
  if (!IsTrustedOwner(status.st_uid)) ThrowFault(path, "belongs to another user");
  if ((status.st_mode & 0077) != 0) ThrowFault(path, "is accessible by group or others");

  Bytes content(kMaxKeyFileBytes + 1);
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t count = ::read(file.get(), content.data() + size, content.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) ThrowSystemFault(path, "reading");
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size == 0 || size > kMaxKeyFileBytes) ThrowFault(path, "has no size of a key");
  content.resize(size);
  return Secret<Bytes>(std::move(content));
}

bool CreateKeyFile(const std::filesystem::path& path, ByteView content) {
  if (std::filesystem::exists(path)) return false;
  // Written under a name that no ring reads and linked into place: a reader sees all of it or none.
  std::filesystem::path aside = path;
  aside += ".new." + std::to_string(::getpid());
  std::filesystem::remove(aside);
  WriteAll(aside, content);
  const int linked = ::link(aside.c_str(), path.c_str());
  const int fault = errno;
  std::filesystem::remove(aside);
  if (linked != 0) {
    if (fault == EEXIST) return false;
    errno = fault;
    ThrowSystemFault(path, "creating");
  }
  SyncDirectory(path.parent_path());
  return true;
}

}  // namespace countersign::keystore
