#include "tests/support/wycheproof/wycheproof.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace countersign::test {

std::optional<nlohmann::json> LoadWycheproof(std::string_view file) {
  const char* const folder = std::getenv("COUNTERSIGN_CONTRACTS");
  if (folder == nullptr) {
    const char* const ci = std::getenv("CI");
    if (ci != nullptr && std::string_view(ci) == "true") ADD_FAILURE() << kNoWycheproof;
    return std::nullopt;
  }
  const std::string path = std::string(folder) + "/wycheproof/" + std::string(file);
  std::ifstream stream(path);
  if (!stream) throw std::runtime_error("cannot read " + path);
  return nlohmann::json::parse(stream);
}

Bytes HexField(const nlohmann::json& vector, const char* name) {
  const std::optional<Bytes> bytes = FromHex(vector.at(name).get<std::string>());
  if (!bytes) throw std::runtime_error(std::string("no hexadecimal text in field ") + name);
  return *bytes;
}

}  // namespace countersign::test
