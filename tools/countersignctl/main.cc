#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "tools/countersignctl/command.h"

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  std::istream* terminal = isatty(STDIN_FILENO) == 1 ? &std::cin : nullptr;
  return countersign::ctl::Run(words, environment, {std::cout, std::cerr, terminal});
}
