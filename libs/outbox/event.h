#pragma once
// An event on its way into a service's event_log, in the statement that makes the change it tells.
#include <span>
#include <string>

#include "libs/core/uuid.h"
#include "libs/pg/array.h"

namespace countersign::outbox {

struct Event {
  Uuid event_id;                    // version 7; the consumer's idempotency key (ce_id)
  std::string topic;                // "user.created"
  std::string key;                  // aggregate id: the partition key, and what `seq` counts for
  std::string type;                 // "session.logged_in"
  std::string payload_json;         // sent to Kafka byte for byte
  std::string headers_json = "{}";  // a JSON object of strings: traceparent, expires_at, actor
};

// Events as array parameters, in the order added:
//
//   INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers)
//   SELECT e.event_id, e.topic, e.key, e.type, …, e.payload::json, e.headers::json
//     FROM unnest($4::int[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[],
//     $10::text[])
//          AS e (command, event_id, topic, key, type, payload, headers) …
struct EventColumns {
  pg::Array<int> command;  // which command of the batch the event belongs to, from 0
  pg::Array<Uuid> event_id;
  pg::Array<std::string> topic;
  pg::Array<std::string> key;
  pg::Array<std::string> type;
  pg::Array<std::string> payload;
  pg::Array<std::string> headers;

  // Throws pg::InvalidText for NUL or invalid UTF-8.
  void Add(int of_command, const Event& event);
};

// All of one command, numbered 0.
[[nodiscard]] EventColumns Columns(std::span<const Event> events);

}  // namespace countersign::outbox
