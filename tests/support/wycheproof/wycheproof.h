#pragma once
// Test vectors of Project Wycheproof, read from the folder $COUNTERSIGN_CONTRACTS/wycheproof.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "libs/core/hex.h"

namespace countersign::test {

// The vectors of `file`. Empty if COUNTERSIGN_CONTRACTS is unset: the test then skips itself, but
// has failed already where CI=true, because a gate that skips is no gate.
[[nodiscard]] std::optional<nlohmann::json> LoadWycheproof(std::string_view file);

// A field of hexadecimal text.
[[nodiscard]] Bytes HexField(const nlohmann::json& vector, const char* name);

inline constexpr char kNoWycheproof[] =
    "set COUNTERSIGN_CONTRACTS to the folder that holds wycheproof/*.json";

}  // namespace countersign::test
