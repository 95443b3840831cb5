#include "services/outbox-relay/tail.h"

#include <algorithm>
#include <utility>

#include "libs/crypto/digest.h"

namespace countersign::relay {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBeat{100};
// An end is news only when the broker answers, and it answers late where nothing is to be had.
constexpr milliseconds kFetchWait{10};

kafka::ConsumerSettings Settings(const kafka::ClientSettings& cluster, bool committed_only) {
  kafka::ConsumerSettings settings;
  settings.committed_only = committed_only;
  settings.client = cluster;
  settings.reset = kafka::From::kError;
  settings.partition_end = true;
  settings.fetch_wait = kFetchWait;
  return settings;
}

}  // namespace

TailReader::TailReader(const kafka::ClientSettings& cluster, std::function<void()> on_wait)
    : on_wait_(std::move(on_wait)),
      limits_(Settings(cluster, false)),
      consumer_(Settings(cluster, true)) {}

// Asks for the limits of each partition first: a reader that is sent to an offset that does not
// exist is told so without the partition's name.
Tail TailReader::Start(const std::string& topic, const std::vector<std::int64_t>& from,
                       int partitions) {
  Tail result = Tail::kRead;
  std::vector<kafka::StartAt> starts;
  ends_.clear();
  for (int partition = 0; partition < partitions; ++partition) {
    const kafka::TopicPartition which{topic, partition};
    const auto at = static_cast<std::size_t>(partition);
    const auto next = at < from.size() ? from[at] : kUnknownOffset;
    const auto limits = limits_.QueryWatermarks(which, kAnswerLimit);
    if (on_wait_) on_wait_();
    auto start = std::max(next, limits.low);
    if (next > limits.high) {
      result = Tail::kOutOfRange;
      start = limits.low;
    }
    if (start >= limits.high) continue;
    starts.push_back({.partition = which, .offset = start});
    ends_[partition] = limits.high;
  }
  consumer_.Assign(starts);
  return result;
}

Tail TailReader::Read(const std::string& topic, const std::vector<std::int64_t>& from,
                      const OnRecord& on_record) {
  try {
    return ReadToTheEnd(topic, from, on_record);
  } catch (const kafka::Fault& fault) {
    throw TailFault(fault.what());
  }
}

Tail TailReader::ReadToTheEnd(const std::string& topic, const std::vector<std::int64_t>& from,
                              const OnRecord& on_record) {
  const int partitions = consumer_.Partitions(topic, kAnswerLimit);
  if (partitions == 0) return Tail::kNoTopic;
  const Tail result = Start(topic, from, partitions);
  auto heard = std::chrono::steady_clock::now();
  while (!ends_.empty()) {
    const auto message = consumer_.Poll(kBeat);
    if (on_wait_) on_wait_();
    const auto now = std::chrono::steady_clock::now();
    if (!message) {
      if (now - heard > kTailLimit) {
        throw TailFault("kafka does not give out the end of topic " + topic +
                        ": a transaction may be open there");
      }
      continue;
    }
    if (!message->at_end()) {
      heard = now;
      on_record(*message);
    } else if (const auto end = ends_.find(message->partition());
               end != ends_.end() && message->offset() >= end->second) {
      heard = now;
      ends_.erase(end);
    }
  }
  return result;
}

Tail CollectSeen(TailReader& reader, const std::string& topic,
                 const std::vector<std::int64_t>& from, Lsn after, SeenEvents& seen) {
  return reader.Read(topic, from, [&](const kafka::Message& record) {
    const auto id = record.Header("ce_id");
    if (!id || record.Header("replay")) return;
    const auto committed = ParseLsn(record.Header("commit_lsn").value_or(std::string_view{}));
    // Without a position it may be any event.
    if (committed && *committed < after) return;
    seen.Add(IdentityOf(*id));
  });
}

Uuid IdentityOf(std::string_view event_id) {
  if (const auto uuid = ParseUuid(event_id)) return *uuid;
  const auto digest = crypto::Sha256(AsBytes(event_id));
  Uuid identity;
  std::ranges::copy_n(digest.begin(), static_cast<std::ptrdiff_t>(identity.bytes.size()),
                      identity.bytes.begin());
  return identity;
}

}  // namespace countersign::relay
