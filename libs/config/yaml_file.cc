#include "libs/config/yaml_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>

namespace countersign::config {
namespace {

std::string Where(const std::string& path, const YAML::Mark& mark) {
  return path + ":" + std::to_string(mark.line + 1) + ": ";
}

class Reader {
 public:
  Reader(const std::string& path, YamlFile& file) : path_(path), file_(file) {}

  void Read(const YAML::Node& node, const std::string& key) {
    if (node.IsMap()) return ReadMapping(node, key);
    YamlValue value{key, {}, node.Mark().line + 1, node.IsSequence()};
    if (node.IsScalar()) {
      value.text = node.Scalar();
    } else if (node.IsSequence() && !JoinItems(node, key, value.text)) {
      return;
    }
    if (std::ranges::find(file_.values, key, &YamlValue::key) != file_.values.end()) {
      Complain(node, key + ": is given twice");
      return;
    }
    file_.values.push_back(std::move(value));
  }

 private:
  void ReadMapping(const YAML::Node& node, const std::string& key) {
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        Complain(entry.first, "a key is not a word");
        continue;
      }
      const std::string& name = entry.first.Scalar();
      Read(entry.second, key.empty() ? name : key + "." + name);
    }
  }

  bool JoinItems(const YAML::Node& list, const std::string& key, std::string& joined) {
    for (const auto& item : list) {
      if (!item.IsScalar() || item.Scalar().find(',') != std::string::npos) {
        Complain(item, key + ": an item is a word without commas");
        return false;
      }
      if (!joined.empty()) joined.push_back(',');
      joined += item.Scalar();
    }
    return true;
  }

  void Complain(const YAML::Node& node, const std::string& what) {
    file_.faults.push_back(Where(path_, node.Mark()) + what);
  }

  const std::string& path_;
  YamlFile& file_;
};

}  // namespace

YamlFile ReadYaml(const std::string& path) {
  YamlFile file;
  try {
    const YAML::Node root = YAML::LoadFile(path);
    if (root.IsMap()) {
      Reader(path, file).Read(root, "");
    } else if (!root.IsNull()) {
      file.faults.push_back(Where(path, root.Mark()) + "a mapping of keys is expected");
    }
  } catch (const YAML::BadFile&) {
    file.faults.push_back(path + ": cannot be read");
  } catch (const YAML::Exception& fault) {
    file.faults.push_back(Where(path, fault.mark) + "not YAML: " + fault.msg);
  }
  return file;
}

}  // namespace countersign::config
