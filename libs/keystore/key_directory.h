#pragma once
// Key files on disk: one file per key, `<key id>.key` (raw bytes) or `<key id>.pem`. A directory of
// them is a ring.
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "libs/core/hex.h"
#include "libs/core/secret.h"

namespace countersign::keystore {

// A ring cannot be used: the process must not start, or must not go on with it. The text names the
// file and what is wrong with it, never its content.
class KeyFault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct KeyFile {
  std::string id;
  std::filesystem::path path;
};

inline constexpr std::size_t kMaxKeyFileBytes = 4096;
inline constexpr std::size_t kMaxKeysPerRing = 512;

// The key files of `directory` in order of id. Throws KeyFault if the directory cannot be read, is
// writable by group or others, or holds more than kMaxKeysPerRing keys. Other files are left alone.
[[nodiscard]] std::vector<KeyFile> ListKeyFiles(const std::filesystem::path& directory);

// Throws KeyFault unless it is a regular file (not a link) of this user or root that group and
// others cannot access, of 1 to kMaxKeyFileBytes bytes. Checked on the opened file.
[[nodiscard]] Secret<Bytes> ReadKeyFile(const std::filesystem::path& path);

// Creates the file with mode 0600, complete or not at all (written aside, synced, linked). False if
// a file of this name exists: it is left as it is. Throws KeyFault if it cannot be written.
bool CreateKeyFile(const std::filesystem::path& path, ByteView content);

}  // namespace countersign::keystore
