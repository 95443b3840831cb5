#include "libs/keystore/provision.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

#include "libs/crypto/aes_gcm.h"
#include "libs/crypto/digest.h"
#include "libs/crypto/ec_key.h"
#include "libs/keystore/key_directory.h"
#include "libs/keystore/key_ring.h"

namespace countersign::keystore {
namespace {

void MakeDirectory(const std::filesystem::path& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return;
  throw KeyFault(directory.string() +
                 ": cannot be made: " + std::generic_category().message(errno));
}

// True if it made the file.
bool CreateKey(const std::filesystem::path& file, Random& random) {
  if (file.extension() == ".pem") {
    return CreateKeyFile(file, AsBytes(crypto::EcPrivateKey::Generate().ToPem().Reveal()));
  }
  Bytes key = random.Bytes(crypto::AesGcmKey::kKeyBytes);
  const bool made = CreateKeyFile(file, key);
  crypto::Cleanse(key);
  return made;
}

std::filesystem::path FileOf(const std::filesystem::path& root, std::string_view ring,
                             const std::string& id) {
  return root / ring / (id + (ring == kSigningRing ? ".pem" : ".key"));
}

// Out of the ring first, so that nobody reads half a key; then overwritten: on file systems that
// write in place the key is gone, not only its name. False: another caller destroyed it.
bool Destroy(const std::filesystem::path& file) {
  std::filesystem::path gone = file;
  gone += ".destroyed";
  if (::rename(file.c_str(), gone.c_str()) != 0) {
    if (errno == ENOENT) return false;
    throw KeyFault(file.string() + ": cannot be renamed");
  }
  const int opened = ::open(gone.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
  if (opened >= 0) {
    const Bytes zeros(crypto::AesGcmKey::kKeyBytes);
    const bool wiped =
        ::write(opened, zeros.data(), zeros.size()) == static_cast<ssize_t>(zeros.size()) &&
        ::fsync(opened) == 0;
    ::close(opened);
    if (!wiped) throw KeyFault(gone.string() + ": cannot be overwritten");
  }
  std::error_code fault;
  std::filesystem::remove(gone, fault);
  if (fault) throw KeyFault(gone.string() + ": cannot be removed: " + fault.message());
  return true;
}

std::string SecondOf(Instant instant) {
  const auto into_day = instant - std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(into_day));
  const auto two = [](auto count) {
    const std::string text = std::to_string(count);
    return text.size() == 1 ? "0" + text : text;
  };
  return DayOf(instant) + "T" + two(time.hours().count()) + two(time.minutes().count()) +
         two(time.seconds().count());
}

}  // namespace

DailyChange EnsureDaily(const std::filesystem::path& ring, int days_ahead, int keep_days,
                        const Clock& clock, Random& random) {
  const Instant now = clock.Now();
  DailyChange change;
  for (int ahead = 0; ahead <= days_ahead; ++ahead) {
    const std::string id = DayOf(now + std::chrono::days(ahead));
    if (CreateKey(ring / (id + ".key"), random)) change.created.push_back(id);
  }
  const std::string oldest_kept = DayOf(now - std::chrono::days(keep_days));
  for (const KeyFile& file : ListKeyFiles(ring)) {
    if (!IsDay(file.id) || file.id >= oldest_kept) continue;
    if (Destroy(file.path)) change.destroyed.push_back(file.id);
  }
  return change;
}

std::vector<std::filesystem::path> GenerateAll(const std::filesystem::path& root,
                                               const Clock& clock, Random& random) {
  MakeDirectory(root);
  std::vector<std::filesystem::path> made;
  for (const std::string_view ring : kAllRings) {
    const std::filesystem::path directory = root / ring;
    MakeDirectory(directory);
    if (ring == kRecipientRing) {
      const DailyChange change =
          EnsureDaily(directory, kRecipientDaysAhead, kRecipientDaysKept, clock, random);
      for (const std::string& id : change.created) made.push_back(FileOf(root, ring, id));
      continue;
    }
    if (!ListKeyFiles(directory).empty()) continue;
    std::filesystem::path file = FileOf(root, ring, DayOf(clock.Now()));
    if (CreateKey(file, random)) made.push_back(std::move(file));
  }
  return made;
}

std::filesystem::path AddKey(const std::filesystem::path& root, std::string_view ring,
                             const Clock& clock, Random& random) {
  std::filesystem::path file = FileOf(root, ring, SecondOf(clock.Now()));
  if (!CreateKey(file, random)) throw KeyFault(file.string() + ": exists already");
  return file;
}

}  // namespace countersign::keystore
