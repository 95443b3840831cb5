#pragma once
// What a session of the invented database sees of its WAL, in the form of a pg_snapshot.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

namespace countersign::relay {

// A transaction's number follows from the place of its beginning in the WAL.
inline std::uint32_t XidOf(std::size_t begin) { return static_cast<std::uint32_t>(begin + 1); }

// Everything before `end` is visible but the transactions that begin at these places: they wait for
// a synchronous standby.
struct WorldSnapshot {
  std::size_t end = 0;
  std::vector<std::size_t> waiting{};

  [[nodiscard]] bool Sees(std::size_t begin) const {
    return begin < end && std::ranges::find(waiting, begin) == waiting.end();
  }
};

inline std::string ToText(const WorldSnapshot& snapshot) {
  std::string text = "1:" + std::to_string(snapshot.end + 1) + ":";
  for (const auto begin : snapshot.waiting) text += std::to_string(XidOf(begin)) + ",";
  return text;
}

inline WorldSnapshot ParseSnapshot(const std::string& text) {
  std::istringstream numbers(text.substr(2));
  WorldSnapshot snapshot;
  char separator = 0;
  numbers >> snapshot.end >> separator;
  --snapshot.end;
  for (std::size_t xid = 0; numbers >> xid; numbers >> separator)
    snapshot.waiting.push_back(xid - 1);
  return snapshot;
}

}  // namespace countersign::relay
