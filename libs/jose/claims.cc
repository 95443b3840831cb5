#include "libs/jose/claims.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace countersign::jose {
namespace {

constexpr std::size_t kMaxDepth = 8;

// Reads one object without building a tree. Every function returns false to stop the parser.
class ClaimsReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return Other(); }
  bool boolean(bool /*value*/) override { return Other(); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return Other(); }
  bool binary(binary_t& /*value*/) override { return false; }

  bool number_integer(number_integer_t value) override {
    if (Depth() == 1) return Put(std::int64_t{value});
    return Other();
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max())) {
      return Other();
    }
    return number_integer(static_cast<number_integer_t>(value));
  }
  bool string(string_t& value) override {
    if (Depth() == 1) return Put(std::move(value));
    if (Depth() == 2 && levels_.back().is_list) {
      list_.push_back(std::move(value));
      return true;
    }
    return Other();
  }

  bool start_object(std::size_t /*size*/) override { return Open(false); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t /*size*/) override { return Open(true); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    if (!levels_.back().names.insert(name).second) return false;
    if (Depth() == 1) name_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*fault*/) override {
    return false;
  }

  [[nodiscard]] Claims Take() { return std::move(claims_); }

 private:
  struct Level {
    bool is_list = false;
    std::set<std::string> names = {};
  };
  [[nodiscard]] std::size_t Depth() const { return levels_.size(); }

  bool Put(ClaimValue value) {
    claims_.emplace(name_, std::move(value));
    return true;
  }
  // A value we do not use: remembered as such, at the level of the claim it belongs to.
  bool Other() {
    if (Depth() == 0) return false;
    if (Depth() == 1) return Put(OtherJson{});
    plain_list_ = false;
    return true;
  }
  bool Open(bool is_list) {
    if (Depth() == 0 && is_list) return false;
    if (Depth() == kMaxDepth) return false;
    if (Depth() == 1) {
      plain_list_ = is_list;
      list_.clear();
    } else {
      plain_list_ = false;
    }
    levels_.push_back(Level{is_list});
    return true;
  }
  bool Close() {
    levels_.pop_back();
    if (Depth() != 1) return true;
    if (plain_list_) return Put(std::exchange(list_, {}));
    return Put(OtherJson{});
  }

  std::vector<Level> levels_;
  std::string name_;
  std::vector<std::string> list_;
  bool plain_list_ = false;
  Claims claims_;
};

}  // namespace

std::optional<Claims> ParseClaims(std::string_view json) {
  // The parser would skip a byte order mark; RFC 8259 section 8.1 has none in a message.
  if (json.starts_with("\xEF\xBB\xBF")) return std::nullopt;
  // The parser takes a NUL for the end and would not look at what follows it.
  if (json.find('\0') != std::string_view::npos) return std::nullopt;
  ClaimsReader reader;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &reader)) return std::nullopt;
  return reader.Take();
}

std::string RenderClaims(const Claims& claims) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, value] : claims) {
    if (const auto* text = std::get_if<std::string>(&value)) json[name] = *text;
    if (const auto* number = std::get_if<std::int64_t>(&value)) json[name] = *number;
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) json[name] = *list;
  }
  return json.dump();
}

const std::string* TextClaim(const Claims& claims, std::string_view name) {
  const auto found = claims.find(name);
  return found == claims.end() ? nullptr : std::get_if<std::string>(&found->second);
}

const std::vector<std::string>* TextListClaim(const Claims& claims, std::string_view name) {
  const auto found = claims.find(name);
  return found == claims.end() ? nullptr : std::get_if<std::vector<std::string>>(&found->second);
}

std::optional<std::int64_t> NumberClaim(const Claims& claims, std::string_view name) {
  const auto found = claims.find(name);
  if (found == claims.end()) return std::nullopt;
  const auto* number = std::get_if<std::int64_t>(&found->second);
  return number == nullptr ? std::nullopt : std::optional(*number);
}

}  // namespace countersign::jose
