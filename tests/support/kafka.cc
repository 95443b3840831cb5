#include "tests/support/kafka.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string_view>
#include <thread>

#include "libs/core/hex.h"
#include "libs/core/random.h"
#include "libs/kafka/consumer.h"

namespace countersign::support {
namespace {

constexpr char kVariable[] = "COUNTERSIGN_TEST_KAFKA";
constexpr auto kLimit = std::chrono::seconds(15);
constexpr auto kReadLimit = std::chrono::seconds(30);

Record ToRecord(const kafka::Message& message) {
  Record record{.topic = std::string(message.topic()),
                .partition = message.partition(),
                .offset = message.offset(),
                .key = std::string(message.key().value_or("")),
                .value = std::string(message.value()),
                .headers = {}};
  for (const auto& [name, value] : message.Headers()) record.headers.emplace_back(name, value);
  return record;
}

}  // namespace

std::string Record::Header(const std::string& name) const {
  const auto found = std::find_if(headers.rbegin(), headers.rend(),
                                  [&](const auto& header) { return header.first == name; });
  return found == headers.rend() ? "" : found->second;
}

std::string Brokers() {
  const char* brokers = std::getenv(kVariable);
  return brokers == nullptr ? "" : brokers;
}

kafka::ClientSettings Cluster() { return ClusterAt(Brokers()); }

kafka::ClientSettings ClusterAt(const std::string& brokers) {
  return {.brokers = brokers,
          .client_id = "countersign-test",
          .tls = {},
          .sasl = {},
          .log = [](int, std::string_view, std::string_view) {},
          .properties = {}};
}

std::string TopicName() {
  SystemRandom random;
  return "test." + std::to_string(getpid()) + "." + ToHex(random.Bytes(6));
}

void Create(const std::string& topic, int partitions, const kafka::TopicConfig& config,
            const kafka::ClientSettings& cluster) {
  kafka::Admin admin(cluster);
  admin.Create({.name = topic, .partitions = partitions, .config = config}, kLimit);
  EXPECT_TRUE(Eventually([&] { return admin.Describe(topic, kLimit).has_value(); }));
}

void Delete(const std::string& topic, const kafka::ClientSettings& cluster) {
  kafka::Admin(cluster).Delete(topic, kLimit);
}

Topic::Topic(int partitions, const kafka::TopicConfig& config, kafka::ClientSettings cluster)
    : name_(TopicName()), partitions_(partitions), cluster_(std::move(cluster)) {
  Create(name_, partitions_, config, cluster_);
}

Topic::~Topic() {
  try {
    Delete(name_, cluster_);
  } catch (const std::exception& fault) {
    ADD_FAILURE() << name_ << " is left behind: " << fault.what();
  }
}

std::vector<Record> Topic::ReadUntil(
    const std::function<bool(std::size_t count, int ended)>& enough) const {
  kafka::ConsumerSettings settings;
  settings.client = cluster_;
  settings.client.properties = {{"fetch.wait.max.ms", "10"}};  // the end is told without delay
  settings.partition_end = true;
  kafka::Consumer consumer(settings);
  std::vector<kafka::StartAt> starts;
  starts.reserve(static_cast<std::size_t>(partitions_));
  for (int i = 0; i < partitions_; ++i) starts.push_back({{name_, i}, kafka::kFirst});
  consumer.Assign(starts);
  std::vector<Record> records;
  std::set<int> ended;
  const auto end = std::chrono::steady_clock::now() + kReadLimit;
  while (!enough(records.size(), static_cast<int>(ended.size()))) {
    if (std::chrono::steady_clock::now() > end) {
      ADD_FAILURE() << "only " << records.size() << " records came to " << name_;
      break;
    }
    const auto message = consumer.Poll(std::chrono::milliseconds(100));
    if (!message) continue;
    if (message->at_end()) {
      ended.insert(message->partition());
    } else {
      records.push_back(ToRecord(*message));
    }
  }
  std::ranges::sort(records, {}, [](const Record& r) { return std::pair(r.partition, r.offset); });
  return records;
}

std::vector<Record> Topic::Read() const {
  return ReadUntil([&](std::size_t, int ended) { return ended == partitions_; });
}

std::vector<Record> Topic::AwaitRecords(std::size_t count) const {
  return ReadUntil([&](std::size_t read, int) { return read >= count; });
}

std::vector<std::string> Topic::Values() const {
  std::vector<std::string> values;
  for (auto& record : Read()) values.push_back(std::move(record.value));
  return values;
}

void PollPause() { std::this_thread::sleep_for(std::chrono::milliseconds(10)); }

void KafkaTest::SetUp() {
  if (!Brokers().empty()) return;
  const char* ci = std::getenv("CI");
  ASSERT_FALSE(ci != nullptr && std::string_view(ci) == "true") << kVariable << " is not set";
  GTEST_SKIP() << kVariable << " is not set";
}

}  // namespace countersign::support
