#include "tests/fakes/twilio/paging.h"

#include <algorithm>
#include <charconv>

namespace countersign::twilio_fake {
namespace {

int Number(std::string_view text, int fallback) {
  int value = fallback;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string Address(const Call& call, int size, int number) {
  std::string address = call.path + "?";
  for (const auto& [name, value] : call.query) {
    if (name == "Page" || name == "PageSize" || name == "PageToken") continue;
    address += PercentEncode(name) + "=" + PercentEncode(value) + "&";
  }
  return address + "PageSize=" + std::to_string(size) + "&Page=" + std::to_string(number);
}

}  // namespace

Page PageOf(const nlohmann::json& all, const Call& call) {
  Page page;
  page.rows = nlohmann::json::array();
  page.size = std::clamp(Number(Find(call.query, "PageSize"), 50), 1, 1000);
  page.number = std::clamp(Number(Find(call.query, "Page"), 0), 0, 1'000'000);
  const auto begin = static_cast<std::size_t>(page.number) * static_cast<std::size_t>(page.size);
  const auto end = std::min(all.size(), begin + static_cast<std::size_t>(page.size));
  for (std::size_t i = begin; i < end; ++i) page.rows.push_back(all[i]);
  page.first = Address(call, page.size, 0);
  page.own = Address(call, page.size, page.number);
  if (page.number > 0) page.previous = Address(call, page.size, page.number - 1);
  if (end < all.size()) page.next = Address(call, page.size, page.number + 1);
  return page;
}

nlohmann::json Absolute(const std::string& base_url, const nlohmann::json& address) {
  if (address.is_null()) return nullptr;
  return base_url + address.get<std::string>();
}

}  // namespace countersign::twilio_fake
