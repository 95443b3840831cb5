#include "services/outbox-relay/domain/snapshot.h"

#include <charconv>

namespace countersign::relay {

std::optional<SnapshotNumbers> ReadSnapshot(std::string_view snapshot) {
  std::vector<std::uint64_t> numbers;
  const char* at = snapshot.data();
  const char* const end = at + snapshot.size();
  while (at < end) {
    std::uint64_t number = 0;
    const auto read = std::from_chars(at, end, number);
    if (read.ec != std::errc{}) break;
    numbers.push_back(number);
    at = read.ptr + 1;
  }
  if (numbers.size() < 2) return std::nullopt;
  return SnapshotNumbers{
      .xmin = numbers[0], .xmax = numbers[1], .running = {numbers.begin() + 2, numbers.end()}};
}

}  // namespace countersign::relay
