#pragma once
#include <string>
#include <vector>

namespace countersign::config {

// One leaf of a file.
struct YamlValue {
  std::string key;   // dotted path
  std::string text;  // of a list: its items with commas between
  int line = 0;      // from 1
  bool is_list = false;
};

// What could be read, and why the rest could not.
struct YamlFile {
  std::vector<YamlValue> values;
  std::vector<std::string> faults;  // "file:line: what": not readable, not YAML, a key twice
};

// The leaves of a YAML mapping of mappings.
[[nodiscard]] YamlFile ReadYaml(const std::string& path);

}  // namespace countersign::config
