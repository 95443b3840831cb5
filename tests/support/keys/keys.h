#pragma once
// Keys for tests, made at run time in a folder that goes with the test.
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "libs/core/clock.h"
#include "libs/core/random.h"
#include "libs/keystore/key_directory.h"
#include "libs/keystore/provision.h"

namespace countersign::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "countersign-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class FixedClock final : public Clock {
 public:
  explicit FixedClock(Instant now) : now_(now) {}
  [[nodiscard]] Instant Now() const override { return now_; }
  void Set(Instant now) { now_ = now; }

 private:
  Instant now_;
};

// Every ring of an installation.
class KeyFolder {
 public:
  explicit KeyFolder(const Clock& clock) { keystore::GenerateAll(folder_.path(), clock, random_); }
  [[nodiscard]] std::filesystem::path Ring(std::string_view ring) const {
    return folder_.path() / ring;
  }
  [[nodiscard]] const std::filesystem::path& path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
  SystemRandom random_;
};

}  // namespace countersign::test
