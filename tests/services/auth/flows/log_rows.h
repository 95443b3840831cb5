#pragma once
// Rows of auth.event_log, and what their payloads must be.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "countersign/events/v1/events.pb.h"
#include "libs/core/uuid.h"
#include "tests/services/auth/flows/owner.h"

namespace countersign::auth {

struct LogRow {
  std::int64_t id = 0;
  Uuid event_id;
  std::string topic;
  std::string key;
  std::string type;
  std::int64_t seq = 0;
  std::string payload;
  std::string headers;
};

// In the order of their ids.
[[nodiscard]] std::vector<LogRow> AllRows(Owner& owner);
[[nodiscard]] std::vector<LogRow> RowsOfKey(Owner& owner, std::string_view key);
[[nodiscard]] std::vector<LogRow> RowsAfter(Owner& owner, std::int64_t id);
[[nodiscard]] std::vector<std::string> TypesOf(const std::vector<LogRow>& rows);

// Empty if the payload is, byte for byte, what protobuf prints for the message it parses to, no
// field is unknown, no mark was left, and the headers are an object of strings; else what is wrong.
[[nodiscard]] std::string WhyMalformed(const LogRow& row);

// Throws std::runtime_error if the text is no such message.
void ParseInto(const std::string& json, google::protobuf::Message& message);
template <typename Message>
[[nodiscard]] Message Parsed(const LogRow& row) {
  Message message;
  ParseInto(row.payload, message);
  return message;
}

}  // namespace countersign::auth
