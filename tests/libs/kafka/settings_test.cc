#include "libs/kafka/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/kafka/admin.h"
#include "libs/kafka/consumer.h"
#include "libs/kafka/fault.h"
#include "libs/kafka/operator_properties.h"
#include "libs/kafka/producer.h"

namespace countersign::kafka {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

ClientSettings At(const std::string& brokers) {
  return {.brokers = brokers,
          .tls = {},
          .sasl = {},
          .log = [](int, std::string_view, std::string_view) {},
          .properties = {}};
}
void MakeProducer(const ClientSettings& client) {
  ProducerSettings settings;
  settings.client = client;
  const Producer producer(settings);
}
std::string FaultOf(const ClientSettings& client) {
  try {
    MakeProducer(client);
    return "";
  } catch (const SettingsFault& fault) {
    return fault.what();
  }
}

TEST(OnlyLoopbackTest, NET1_IsTrueIfNoBrokerIsOnAnotherMachine) {
  for (const char* here : {"localhost:9092", "127.0.0.1:9092", "127.3.2.1:9092", "[::1]:9092",
                           "localhost", "127.0.0.1:1,localhost:2", "127.0.0.1:1, localhost:2"}) {
    EXPECT_TRUE(OnlyLoopback(here)) << here;
  }
}

TEST(OnlyLoopbackTest, NET1_IsFalseForEverythingElse) {
  for (const char* there :
       {"kafka:9092", "10.0.0.1:9092", "127.0.0.1:9092,kafka:9092", "kafka:9092,127.0.0.1:9092",
        "127.0.0.1:9092, kafka:9092", "127.evil.example:9092", "127.0.0.1.evil.example:9092",
        "localhost.evil.example:9092", "[::2]:9092", "127.0.0.1 kafka:9092",
        "SASL_SSL://kafka:9092", "PLAINTEXT://kafka:9092"}) {
    EXPECT_FALSE(OnlyLoopback(there)) << there;
  }
}

TEST(ClientSettingsTest, NET1_PlaintextOffLoopbackIsRefusedByEveryClient) {
  const auto remote = At("kafka.example:9092");
  EXPECT_THROW(MakeProducer(remote), SettingsFault);
  ConsumerSettings consumer;
  consumer.client = remote;
  EXPECT_THROW(Consumer{consumer}, SettingsFault);
  EXPECT_THROW(Admin{remote}, SettingsFault);
}

TEST(ClientSettingsTest, NET1_PlaintextOffLoopbackNeedsAnExplicitWord) {
  auto remote = At("kafka.example:9092");
  remote.allow_plaintext = true;
  EXPECT_EQ(FaultOf(remote), "");
  remote.allow_plaintext = false;
  remote.use_tls = true;
  EXPECT_EQ(FaultOf(remote), "");
}

// They would lead to other brokers, or past TLS, behind the back of that check.
TEST(ClientSettingsTest, NET1_ThePropertiesOfTheOperatorCannotLeadElsewhere) {
  for (const char* name :
       {"bootstrap.servers", "metadata.broker.list", "security.protocol",
        "enable.ssl.certificate.verification", "ssl.endpoint.identification.algorithm"}) {
    auto settings = At("127.0.0.1:9092");
    settings.properties = {{name, name[0] == 'e' ? "false" : "kafka.example:9092"}};
    EXPECT_THAT(FaultOf(settings), HasSubstr(name));
  }
}

// Without them events are lost, doubled, skipped, passed over or moved to another partition.
TEST(ClientSettingsTest, KAF2_ThePropertiesOfTheOperatorCannotTakeThePromisesBack) {
  const std::pair<const char*, const char*> cases[] = {
      {"acks", "1"},
      {"acks", "0"},
      {"request.required.acks", "1"},
      {"enable.idempotence", "false"},
      {"max.in.flight", "6"},
      {"max.in.flight.requests.per.connection", "1000000"},
      {"max.in.flight.requests.per.connection", "0"},
      {"max.in.flight.requests.per.connection", "5 "},
      {"transactional.id", "from-outside"},
      {"transaction.timeout.ms", "1000"},
      {"enable.gapless.guarantee", "false"},
      {"message.timeout.ms", "1000"},
      {"delivery.timeout.ms", "1000"},
      {"queuing.strategy", "lifo"},
      {"partitioner", "random"},
      {"delivery.report.only.error", "true"},
      {"enable.auto.offset.store", "true"},
      {"enable.auto.commit", "true"},
      {"auto.commit.enable", "true"},
      {"auto.offset.reset", "latest"},
      {"isolation.level", "read_uncommitted"}};
  for (const auto& [name, value] : cases) {
    auto settings = At("127.0.0.1:9092");
    settings.properties = {{name, value}};
    EXPECT_THAT(FaultOf(settings), HasSubstr("kafka property " + std::string(name))) << value;
    EXPECT_THAT(WhyRefused(name, value), StartsWith(name)) << value;
    ConsumerSettings consumer;
    consumer.client = settings;
    EXPECT_THROW(Consumer{consumer}, SettingsFault) << name;
  }
}

TEST(ClientSettingsTest, KAF2_AValueThatKeepsThePromiseMayBeWrittenOut) {
  const std::pair<const char*, const char*> cases[] = {
      {"acks", "all"},
      {"acks", "-1"},
      {"request.required.acks", "all"},
      {"enable.idempotence", "true"},
      {"enable.gapless.guarantee", "true"},
      {"max.in.flight", "1"},
      {"max.in.flight.requests.per.connection", "5"}};
  for (const auto& [name, value] : cases) {
    auto settings = At("127.0.0.1:9092");
    settings.properties = {{name, value}};
    EXPECT_EQ(FaultOf(settings), "") << name;
    EXPECT_EQ(WhyRefused(name, value), "") << name;
  }
}

TEST(ClientSettingsTest, OtherPropertiesOfTheOperatorApply) {
  auto settings = At("127.0.0.1:9092");
  settings.properties = {{"socket.keepalive.enable", "true"}, {"linger.ms", "7"}};
  EXPECT_EQ(FaultOf(settings), "");
}

TEST(ClientSettingsTest, AnUnknownOrWrongPropertyIsNamedAndItsValueIsNot) {
  auto settings = At("127.0.0.1:9092");
  settings.properties = {{"no.such.thing", "hunter2"}};
  EXPECT_THAT(FaultOf(settings),
              testing::AllOf(HasSubstr("no.such.thing"), Not(HasSubstr("hunter2"))));
  settings.properties = {{"linger.ms", "hunter2"}};
  EXPECT_THAT(FaultOf(settings), testing::AllOf(HasSubstr("linger.ms"), Not(HasSubstr("hunter2"))));
}

TEST(ClientSettingsTest, NoBrokersAreRefused) {
  EXPECT_THAT(FaultOf(At("")), HasSubstr("brokers"));
}

}  // namespace
}  // namespace countersign::kafka
