#include "libs/pg/conninfo.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace countersign::pg {
namespace {

using Options = std::map<std::string, std::string>;

Options Parse(const std::string& conninfo) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(conninfo.c_str(), nullptr), PQconninfoFree);
  // libpq's own message may quote the password.
  if (!parsed) throw std::invalid_argument("not a libpq connection string");
  Options options;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) options[option->keyword] = option->val;
  }
  return options;
}

std::string Quoted(std::string_view value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string Joined(const Options& options) {
  std::string conninfo;
  for (const auto& [keyword, value] : options) {
    conninfo += fmt::format("{}={} ", keyword, Quoted(value));
  }
  return conninfo;
}

// What libpq would use: the connection string, else the environment.
std::string Effective(const Options& options, const char* keyword, const char* variable) {
  if (const auto found = options.find(keyword); found != options.end()) return found->second;
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

std::vector<std::string_view> SplitAtCommas(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

// An empty host is the default unix socket.
bool IsOnThisMachine(std::string_view host) {
  if (host.empty() || host.starts_with('/') || host.starts_with('@')) return true;
  if (host == "localhost" || host == "::1") return true;
  return host.starts_with("127.") &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

// A host list has an address list of the same length beside it, or none. An address is where the
// connection goes, its host then only the name to verify; an empty one leaves it to the host.
bool StaysOnThisMachine(const Options& options) {
  // The service file may name any host, and is read only when the connection is made.
  if (!Effective(options, "service", "PGSERVICE").empty()) return false;
  const std::string hosts = Effective(options, "host", "PGHOST");
  const std::string addresses = Effective(options, "hostaddr", "PGHOSTADDR");
  const auto names = SplitAtCommas(hosts);
  const auto places = SplitAtCommas(addresses);
  for (std::size_t i = 0; i < std::max(names.size(), places.size()); ++i) {
    const auto name = i < names.size() ? names[i] : std::string_view{};
    const auto place = i < places.size() ? places[i] : std::string_view{};
    if (!IsOnThisMachine(place.empty() ? name : place)) return false;
  }
  return true;
}

}  // namespace

Secret<std::string> FullConninfo(const ConnectionSettings& settings) {
  Options options = Parse(settings.conninfo.Reveal());
  if (!settings.password.Empty()) options["password"] = settings.password.Reveal();
  options.try_emplace("application_name", settings.application_name);
  options["client_encoding"] = "UTF8";
  options.try_emplace(
      "connect_timeout",
      std::to_string(std::max<long>(
          2, std::chrono::ceil<std::chrono::seconds>(settings.connect_timeout).count())));
  options.try_emplace("tcp_user_timeout", std::to_string(settings.network_timeout.count()));
  options.try_emplace("keepalives_idle", "10");
  options.try_emplace("keepalives_interval", "5");
  options.try_emplace("keepalives_count", "3");
  options["options"] += fmt::format(
      " -c lock_timeout={} -c statement_timeout={} -c timezone=UTC -c datestyle=ISO"
      " -c bytea_output=hex",
      settings.lock_timeout.count(), settings.statement_timeout.count());
  if (settings.finds_by_key) options["options"] += " -c enable_seqscan=off";
  return Secret<std::string>(Joined(options));
}

std::string WithKeyword(const std::string& conninfo, const std::string& keyword,
                        const std::string& value) {
  Options options = Parse(conninfo);
  options[keyword] = value;
  return Joined(options);
}

std::string RequireTlsOffLoopback(const std::string& conninfo) {
  Options options;
  try {
    options = Parse(conninfo);
  } catch (const std::invalid_argument& fault) {
    return fault.what();
  }
  if (StaysOnThisMachine(options)) return "";
  if (Effective(options, "sslmode", "PGSSLMODE") == "verify-full") return "";
  return "a database on another host needs sslmode=verify-full";
}

}  // namespace countersign::pg
