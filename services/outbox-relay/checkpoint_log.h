#pragma once
// Checkpoints in Kafka: a compacted topic of one partition, keyed by relay, the newest counts.
#include <optional>
#include <string>
#include <string_view>

#include "services/outbox-relay/domain/checkpoint.h"
#include "services/outbox-relay/tail.h"

namespace countersign::relay {

// One JSON object.
[[nodiscard]] std::string ToJson(const Checkpoint& checkpoint);
// Empty for anything that ToJson does not write.
[[nodiscard]] std::optional<Checkpoint> ParseCheckpoint(std::string_view json);

// The newest record of that relay as it lies in the topic, empty if there is none or if it was made
// to forget. Throws TailFault if the topic cannot be read to its end or does not exist.
[[nodiscard]] std::optional<std::string> ReadNewestRecord(TailReader& reader,
                                                          const std::string& topic,
                                                          std::string_view relay);

// The newest checkpoint of that relay, empty if there is none. Throws TailFault if the topic
// cannot be read to its end, does not exist, or if the relay's newest record cannot be understood:
// going on without it could bring events twice.
[[nodiscard]] std::optional<Checkpoint> ReadCheckpoint(TailReader& reader, const std::string& topic,
                                                       std::string_view relay);

}  // namespace countersign::relay
