#include <fmt/ostream.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "tools/countersignctl/cluster.h"
#include "tools/countersignctl/command.h"
#include "tools/countersignctl/migration.h"
#include "tools/countersignctl/topic_plan.h"

namespace countersign::ctl {
namespace {

constexpr auto kLimit = std::chrono::seconds(15);
constexpr Option kFile{"file", "FILE", "declaration (default: that of this release)"};

std::optional<ActualTopic> Look(kafka::Admin& admin, const std::string& name) {
  const auto description = admin.Describe(name, kLimit);
  if (!description) return std::nullopt;
  return ActualTopic{description->partitions, admin.Config(name, kLimit)};
}

// A created topic is known to every broker a moment later; whoever comes after us must find it.
void AwaitTopic(kafka::Admin& admin, const std::string& name) {
  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  while (!admin.Describe(name, kLimit)) {
    if (std::chrono::steady_clock::now() > deadline) {
      throw Failure(fmt::format("{} was created but the brokers do not know it", name));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::string ToText(const TopicDifference& difference) {
  const auto shown = [](const std::string& text) { return text.empty() ? "not set" : text; };
  return fmt::format("{}: {}: declared {}, present {}", difference.topic, difference.what,
                     difference.wanted.empty() ? "nothing" : difference.wanted,
                     shown(difference.present));
}

int Apply(const Arguments& arguments, const Streams& streams) {
  const auto specs = ReadTopics(FindShipped(arguments.Text("file"), "deploy/topics.yaml"));
  const auto replicas = arguments.Number("replication-factor", -1, 32);
  kafka::Admin admin(ClusterSettings(arguments));
  int made = 0;
  bool left_alone = false;
  for (auto spec : specs) {
    spec.replication_factor = replicas == 0 ? -1 : static_cast<int>(replicas);
    const auto actual = Look(admin, spec.name);
    if (!actual) {
      if (admin.Create(spec, kLimit) == kafka::Created::kNew) {
        fmt::print(streams.out, "created {} ({} partitions)\n", spec.name, spec.partitions);
        ++made;
      }
      AwaitTopic(admin, spec.name);
      continue;
    }
    bool changed = false;
    for (const auto& difference : Differences(spec, *actual)) {
      changed = changed || difference.applied;
      left_alone = left_alone || !difference.applied;
      fmt::print(streams.out, "{} {}\n", difference.applied ? "changed" : "left alone",
                 ToText(difference));
    }
    if (changed) admin.SetConfig(spec.name, Merged(spec, *actual), kLimit);
    made += changed ? 1 : 0;
  }
  if (made == 0) fmt::print(streams.out, "nothing to apply\n");
  return left_alone ? kDiffers : kOk;
}

int Diff(const Arguments& arguments, const Streams& streams) {
  const auto specs = ReadTopics(FindShipped(arguments.Text("file"), "deploy/topics.yaml"));
  kafka::Admin admin(ClusterSettings(arguments));
  std::vector<TopicDifference> all;
  for (const auto& spec : specs) {
    if (const auto actual = Look(admin, spec.name)) {
      const auto found = Differences(spec, *actual);
      all.insert(all.end(), found.begin(), found.end());
    } else {
      all.push_back({spec.name, "topic", "present", "missing", true});
    }
  }
  auto list = nlohmann::json::array();
  for (const auto& difference : all) {
    if (arguments.Flag("json")) {
      list.push_back({{"topic", difference.topic},
                      {"what", difference.what},
                      {"declared", difference.wanted},
                      {"present", difference.present},
                      {"apply_changes_it", difference.applied}});
    } else {
      fmt::print(streams.out, "{}\n", ToText(difference));
    }
  }
  if (arguments.Flag("json")) fmt::print(streams.out, "{}\n", list.dump(2));
  return all.empty() ? kOk : kDiffers;
}

}  // namespace

std::vector<Command> TopicsCommands() {
  return {
      {.words = "topics apply",
       .positionals = "",
       .summary = "Create the declared topics and set their settings",
       .details = "The partition count of an existing topic is never changed, and settings that "
                  "the declaration does not\nname are left alone; both are reported, with exit 3.",
       .options = ClusterOptions(
           {kFile, {"replication-factor", "N", "for new topics; 0: the broker's default", "0"}}),
       .run = Apply},
      {.words = "topics diff",
       .positionals = "",
       .summary = "Show where the cluster differs from the declaration; exit 3 if it does",
       .details = "",
       .options = ClusterOptions({kFile, kJson}),
       .run = Diff},
  };
}

}  // namespace countersign::ctl
