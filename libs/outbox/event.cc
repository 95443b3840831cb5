#include "libs/outbox/event.h"

namespace countersign::outbox {

void EventColumns::Add(int of_command, const Event& event) {
  topic.Add(event.topic);
  key.Add(event.key);
  type.Add(event.type);
  payload.Add(event.payload_json);
  headers.Add(event.headers_json);
  command.Add(of_command);
  event_id.Add(event.event_id);
}

EventColumns Columns(std::span<const Event> events) {
  EventColumns columns;
  for (const Event& event : events) columns.Add(0, event);
  return columns;
}

}  // namespace countersign::outbox
