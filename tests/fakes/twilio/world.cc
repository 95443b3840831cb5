#include "tests/fakes/twilio/world.h"

#include <fmt/chrono.h>

#include <ctime>

namespace countersign::twilio_fake {
namespace {

std::tm PartsOf(Instant instant) {
  return fmt::gmtime(std::chrono::system_clock::to_time_t(instant));
}

nlohmann::json Line(const Delivery& delivery) {
  return {{"operation", delivery.operation},
          {"to", delivery.to},
          {"channel", delivery.channel},
          {"sid", delivery.sid},
          {"attempt_sid", delivery.attempt_sid},
          {"service_sid", delivery.service_sid},
          {"attempt_id", delivery.attempt_id},
          {"traceparent", delivery.traceparent},
          {"received_at", ToRfc3339(delivery.received_at)},
          {"received_at_us", delivery.received_at.time_since_epoch().count()}};
}

}  // namespace

std::string ToIso8601(Instant instant) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", PartsOf(instant));
}
std::string ToRfc2822(Instant instant) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} +0000", PartsOf(instant));
}

std::string Dice::Sid(std::string_view prefix) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string sid(prefix);
  for (int word = 0; word < 2; ++word) {
    std::uint64_t bits = engine_();
    for (int i = 0; i < 16; ++i, bits >>= 4U) sid.push_back(kHex[bits & 15U]);
  }
  return sid;
}

std::string Dice::Digits(int count) {
  std::uniform_int_distribution<int> digit(0, 9);
  std::string digits;
  for (int i = 0; i < count; ++i) digits.push_back(static_cast<char>('0' + digit(engine_)));
  return digits;
}

std::string AttemptId(const Call& call) {
  const auto tags = nlohmann::json::parse(Find(call.form, "Tags"), nullptr, false);
  if (tags.is_object() && tags.contains("aid") && tags["aid"].is_string()) {
    return tags["aid"].get<std::string>();
  }
  const std::string_view callback = Find(call.form, "StatusCallback");
  if (const auto query = callback.find('?'); query != std::string_view::npos) {
    const Fields fields = ParseForm(callback.substr(query + 1));
    if (const auto aid = Find(fields, "aid"); !aid.empty()) return std::string(aid);
  }
  return call.request_id;
}

void Phones::Deliver(Delivery delivery) {
  by_phone_[delivery.to].push_back(deliveries_.size());
  deliveries_.push_back(std::move(delivery));
}

nlohmann::json Phones::Messages(std::string_view to) const {
  auto shown = nlohmann::json::array();
  const auto show = [&](const Delivery& delivery) {
    auto line = Line(delivery);
    line["text"] = delivery.text;
    line["code"] = delivery.code;
    line["validity_period"] = delivery.validity;
    shown.push_back(std::move(line));
  };
  if (to.empty()) {
    for (const auto& delivery : deliveries_) show(delivery);
  } else if (const auto found = by_phone_.find(std::string(to)); found != by_phone_.end()) {
    for (const auto position : found->second) show(deliveries_[position]);
  }
  return {{"messages", std::move(shown)}};
}

nlohmann::json Phones::Ledger(std::size_t from, std::string_view to) const {
  auto sends = nlohmann::json::array();
  for (std::size_t position = from; position < deliveries_.size(); ++position) {
    if (to.empty() || deliveries_[position].to == to) sends.push_back(Line(deliveries_[position]));
  }
  return {{"total", deliveries_.size()}, {"sends", std::move(sends)}};
}

void Phones::Clear() {
  deliveries_.clear();
  by_phone_.clear();
}

}  // namespace countersign::twilio_fake
