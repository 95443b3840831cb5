#include "tests/services/auth/flows/log_rows.h"

#include <google/protobuf/util/json_util.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace countersign::auth {
namespace {

namespace pb = google::protobuf;
namespace v1 = countersign::events::v1;

std::vector<LogRow> ToRows(const pg::Rows& rows) {
  std::vector<LogRow> log;
  log.reserve(rows.size());
  for (const pg::Row row : rows)
    log.push_back({.id = row.Get<std::int64_t>("id"),
                   .event_id = row.Get<Uuid>("event_id"),
                   .topic = row.Get<std::string>("topic"),
                   .key = row.Get<std::string>("key"),
                   .type = row.Get<std::string>("type"),
                   .seq = row.Get<std::int64_t>("seq"),
                   .payload = row.Get<std::string>("payload"),
                   .headers = row.Get<std::string>("headers")});
  return log;
}

std::unique_ptr<pb::Message> MessageOf(const std::string& type) {
  static const std::map<std::string, const pb::Message*> prototypes = {
      {"otp.send", &v1::SendOtp::default_instance()},
      {"user.created", &v1::UserCreated::default_instance()},
      {"user.verified", &v1::UserVerified::default_instance()},
      {"session.logged_in", &v1::SessionLoggedIn::default_instance()},
      {"session.login_failed", &v1::SessionLoginFailed::default_instance()},
      {"session.refreshed", &v1::SessionRefreshed::default_instance()},
      {"session.logged_out", &v1::SessionLoggedOut::default_instance()},
      {"session.revoked", &v1::SessionRevoked::default_instance()}};
  const auto found = prototypes.find(type);
  if (found == prototypes.end()) return nullptr;
  return std::unique_ptr<pb::Message>(found->second->New());
}

bool IsObjectOfStrings(const std::string& json) {
  const auto parsed = nlohmann::json::parse(json, nullptr, false);
  if (!parsed.is_object()) return false;
  for (const auto& value : parsed)
    if (!value.is_string()) return false;
  return true;
}

}  // namespace

std::vector<LogRow> AllRows(Owner& owner) { return RowsAfter(owner, 0); }

std::vector<LogRow> RowsAfter(Owner& owner, std::int64_t id) {
  return ToRows(owner.Run("SELECT * FROM auth.event_log WHERE id > $1::bigint ORDER BY id", id));
}

std::vector<LogRow> RowsOfKey(Owner& owner, std::string_view key) {
  return ToRows(owner.Run("SELECT * FROM auth.event_log WHERE key = $1 ORDER BY id", key));
}

std::vector<std::string> TypesOf(const std::vector<LogRow>& rows) {
  std::vector<std::string> types;
  types.reserve(rows.size());
  for (const LogRow& row : rows) types.push_back(row.type);
  return types;
}

std::string WhyMalformed(const LogRow& row) {
  const auto message = MessageOf(row.type);
  if (!message) return "no message is known for type " + row.type;
  if (const auto parsed = pb::util::JsonStringToMessage(row.payload, message.get()); !parsed.ok())
    return row.type + ": " + parsed.ToString() + ": " + row.payload;
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string printed;
  if (!pb::util::MessageToJsonString(*message, &printed, options).ok() || printed != row.payload)
    return row.type + " is not as protobuf prints it: " + row.payload;
  if (row.payload.find('{', 1) != std::string::npos ||
      row.headers.find('{', 1) != std::string::npos)
    return row.type + " has a mark left: " + row.payload + " " + row.headers;
  if (!IsObjectOfStrings(row.headers)) return row.type + ": headers " + row.headers;
  return {};
}

void ParseInto(const std::string& json, pb::Message& message) {
  const auto parsed = pb::util::JsonStringToMessage(json, &message);
  if (!parsed.ok()) throw std::runtime_error("not " + message.GetTypeName() + ": " + json);
}

}  // namespace countersign::auth
