#include "services/outbox-relay/checkpoint_log.h"

#include <nlohmann/json.hpp>

namespace countersign::relay {
namespace {

using Json = nlohmann::json;

// Raised when a reader of the older form would go wrong.
constexpr int kForm = 2;

}  // namespace

std::string ToJson(const Checkpoint& checkpoint) {
  Json json;
  json["form"] = kForm;
  json["system_id"] = checkpoint.system_id;
  json["timeline"] = checkpoint.timeline;
  json["position"] = ToString(checkpoint.position);
  json["offsets"] = checkpoint.offsets;
  if (checkpoint.settled) {
    json["settled"] = {{"snapshot", checkpoint.settled->snapshot},
                       {"offsets", checkpoint.settled->offsets}};
  }
  if (checkpoint.rebuilding) json["rebuilding"] = true;
  if (checkpoint.atomic) json["atomic"] = true;
  if (checkpoint.unordered) json["unordered"] = true;
  return json.dump();
}

std::optional<Checkpoint> ParseCheckpoint(std::string_view json) {
  try {
    const Json read = Json::parse(json);
    const auto position = ParseLsn(read.at("position").get<std::string>());
    if (read.at("form").get<int>() != kForm || !position) return std::nullopt;
    Checkpoint checkpoint{.system_id = read.at("system_id").get<std::string>(),
                          .timeline = read.at("timeline").get<int>(),
                          .position = *position,
                          .offsets = read.at("offsets").get<Offsets>(),
                          .rebuilding = read.value("rebuilding", false),
                          .atomic = read.value("atomic", false),
                          .unordered = read.value("unordered", false)};
    if (const auto settled = read.find("settled"); settled != read.end()) {
      checkpoint.settled = SettledPoint{.snapshot = settled->at("snapshot").get<std::string>(),
                                        .offsets = settled->at("offsets").get<Offsets>()};
    }
    return checkpoint;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::optional<std::string> ReadNewestRecord(TailReader& reader, const std::string& topic,
                                            std::string_view relay) {
  std::optional<std::string> newest;
  const auto keep = [&](const kafka::Message& record) {
    if (record.key() == relay) newest = record.value();
  };
  if (reader.Read(topic, {}, keep) == Tail::kNoTopic) {
    throw TailFault("topic " + topic + " does not exist (countersignctl topics apply)");
  }
  // An empty value is a tombstone: the operator has made the relay forget.
  if (newest && newest->empty()) return std::nullopt;
  return newest;
}

std::optional<Checkpoint> ReadCheckpoint(TailReader& reader, const std::string& topic,
                                         std::string_view relay) {
  const auto newest = ReadNewestRecord(reader, topic, relay);
  if (!newest) return std::nullopt;
  auto checkpoint = ParseCheckpoint(*newest);
  if (!checkpoint) {
    throw TailFault("the newest checkpoint in " + topic +
                    " cannot be read: a newer relay may have written it");
  }
  return checkpoint;
}

}  // namespace countersign::relay
