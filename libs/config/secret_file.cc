#include "libs/config/secret_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace countersign::config {

std::optional<std::string> SecretFileFault(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return std::string("cannot be read: ") + std::strerror(errno);
  if (!S_ISREG(info.st_mode)) return "is not a regular file";
  if (info.st_uid != geteuid() && info.st_uid != 0) {
    return "belongs to another user: it must belong to root or the user of the process";
  }
  const mode_t others = info.st_uid == 0 ? S_IRWXO | S_IWGRP | S_IXGRP : S_IRWXO | S_IRWXG;
  if ((info.st_mode & others) != 0) return "is open to others: chmod 600 it";
  if (access(path.c_str(), R_OK) != 0)
    return std::string("cannot be read: ") + std::strerror(errno);
  return std::nullopt;
}

}  // namespace countersign::config
