#pragma once
// How a C++ test looks at a running fake and steers it: over HTTP, as everybody else does, on
// connections of its own that no rule disturbs.
#include <chrono>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "libs/http/client.h"
#include "libs/http/url.h"

namespace countersign::twilio_fake {

class Steering {
 public:
  explicit Steering(std::string url) : url_(std::move(url)) {}

  void AddFault(const nlohmann::json& rule) { Post("/_fake/faults", rule); }
  // Forgets everything, rules included.
  void Reset() { Post("/_fake/reset", nlohmann::json::object()); }
  // Moves the fake's clock.
  void Advance(std::chrono::seconds by) { Post("/_fake/clock", {{"advance_seconds", by.count()}}); }

  [[nodiscard]] nlohmann::json Look(const std::string& path) {
    return Exchange({.method = http::Method::kGet, .url = url_ + path});
  }
  // How many sends were processed, to anybody.
  [[nodiscard]] int Processed() { return Look("/_fake/ledger")["total"].get<int>(); }
  // What the phone shows, oldest first.
  [[nodiscard]] nlohmann::json Messages(const std::string& phone) {
    return Look("/_fake/messages?to=" + http::PercentEncode(phone))["messages"];
  }
  // The last code that reached the phone.
  [[nodiscard]] std::string Code(const std::string& phone) {
    return Messages(phone).back()["code"].get<std::string>();
  }
  // The form of the last call.
  [[nodiscard]] nlohmann::json LastRequest() { return Look("/_fake/requests")["requests"].back(); }
  [[nodiscard]] int Calls(const std::string& operation) {
    return Look("/_fake/stats")["calls"].value(operation, 0);
  }

 private:
  void Post(const std::string& path, const nlohmann::json& body) {
    Exchange({.method = http::Method::kPost, .url = url_ + path, .body = Secret(body.dump())});
  }

  // A rule may have closed the listener for a moment, so a request that never left is repeated.
  nlohmann::json Exchange(const http::Request& request) {
    constexpr int kAttempts = 500;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
      const auto outcome = client_.SendAndWait(request, deadline);
      if (outcome.response && outcome.response->status == 200) {
        return nlohmann::json::parse(outcome.response->body);
      }
      if (outcome.response) throw std::runtime_error("the fake refuses: " + outcome.response->body);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw std::runtime_error("the fake does not answer");
  }

  std::string url_;
  http::Client client_{http::Settings{}};
};

}  // namespace countersign::twilio_fake
