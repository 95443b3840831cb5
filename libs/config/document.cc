#include "libs/config/document.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

#include "libs/config/load.h"

namespace countersign::config {
namespace {

constexpr int kMaxDepth = 32;  // an alias may point at its own parent

class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  nlohmann::json Convert(const YAML::Node& node, int depth) const {
    if (depth > kMaxDepth) throw At(node, "nested too deeply");
    if (node.IsSequence()) {
      auto list = nlohmann::json::array();
      for (const auto& item : node) list.push_back(Convert(item, depth + 1));
      return list;
    }
    if (node.IsMap()) {
      auto object = nlohmann::json::object();
      for (const auto& entry : node) {
        const auto key = entry.first.as<std::string>();
        if (object.contains(key)) throw At(entry.first, fmt::format("{} is there twice", key));
        object[key] = Convert(entry.second, depth + 1);
      }
      return object;
    }
    if (node.IsScalar()) return node.Scalar();
    return nullptr;
  }

  [[nodiscard]] Fault At(const YAML::Node& node, const std::string& what) const {
    return Fault(fmt::format("{}:{}: {}", file_, node.Mark().line + 1, what));
  }

 private:
  std::string file_;
};

}  // namespace

nlohmann::json ReadDocument(const std::filesystem::path& file) {
  try {
    return Reader(file.string()).Convert(YAML::LoadFile(file.string()), 0);
  } catch (const YAML::BadFile&) {
    throw Fault(fmt::format("cannot read {}", file.string()));
  } catch (const YAML::Exception& fault) {
    throw Fault(fmt::format("{}:{}: {}", file.string(), fault.mark.line + 1, fault.msg));
  }
}

}  // namespace countersign::config
