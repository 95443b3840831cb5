#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tests/fakes/twilio/service.h"

namespace countersign::twilio_fake {

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string port_file;
  bool help = false;
  ServiceSettings service;
};

// Throws std::invalid_argument with the option and what is wrong with it.
[[nodiscard]] Options ParseOptions(std::span<const std::string> arguments);
[[nodiscard]] std::string_view HelpText();

}  // namespace countersign::twilio_fake
