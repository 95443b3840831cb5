#include <gmock/gmock.h>

#include "libs/kafka/producer.h"
#include "tests/services/otp/consumer/replica.h"
#include "tests/services/otp/flows/sealed_event.h"
#include "tests/support/kafka.h"

namespace countersign::otp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;

constexpr int kPartitions = 3;

class VerificationConsumerTest : public OtpTest {
 protected:
  void SetUp() override {
    OtpTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (support::Brokers().empty()) GTEST_SKIP() << "COUNTERSIGN_TEST_KAFKA is not set";
    topic_ = std::make_unique<support::Topic>(kPartitions);
    support::Create(topic_->name() + ".dlt", 1);
    producer_ = std::make_unique<kafka::Producer>(
        kafka::ProducerSettings{.client = support::Cluster(), .on_error = {}});
  }
  void TearDown() override {
    provider().Release();
    StopAll();
    if (topic_) support::Delete(topic_->name() + ".dlt");
  }

  Replica& Start(const InstallationOptions& options = {}, std::size_t max_unfinished = 1024) {
    replicas_.push_back(std::make_unique<Replica>(topic_->name(), Group(), AsService(), keys(),
                                                  provider(), options, max_unfinished));
    return *replicas_.back();
  }
  [[nodiscard]] std::string Group() const { return "otp-" + topic_->name() + generation_; }
  // As after a rewind of all offsets: another group begins at the beginning.
  void Rewind() { generation_ += "'"; }

  void Produce(const std::string& key, const std::string& value,
               const std::vector<std::pair<std::string, std::string>>& headers) {
    kafka::Headers carried;
    for (const auto& [name, text] : headers) carried.Add(name, text);
    // The first record of a partition is answered before the next one is taken.
    ASSERT_TRUE(Eventually([&] {
      producer_->Drain([](const kafka::Delivery& d) { ASSERT_TRUE(d.ok()); });
      return producer_->Produce({.topic = topic_->name(), .key = key, .value = value}, carried) ==
             kafka::Produced::kQueued;
    }));
  }
  void Flush() {
    ASSERT_TRUE(
        producer_->Flush(seconds(20), [](const kafka::Delivery& d) { ASSERT_TRUE(d.ok()); }));
  }
  void ProduceEvent(const SealedEvent& event) {
    Produce(ToString(event.subject_id), ToValue(event, keys().recipient, keys().random),
            {{"ce_id", ToString(event.event_id)},
             {"ce_type", "otp.send"},
             {"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}});
  }
  [[nodiscard]] SealedEvent NewEvent() {
    const SendIntent intent = NewIntent(keys());
    return {.event_id = intent.event_id,
            .challenge_id = intent.challenge_id.value,
            .subject_id = intent.subject_id.value,
            .phone = PhoneOf(intent),
            .expires_at = intent.expires_at};
  }
  [[nodiscard]] std::vector<SealedEvent> ProduceEvents(int count) {
    std::vector<SealedEvent> events;
    for (int i = 0; i < count; ++i) {
      events.push_back(NewEvent());
      ProduceEvent(events.back());
    }
    Flush();
    return events;
  }

  [[nodiscard]] std::string StateOfEvent(const SealedEvent& event) {
    const pg::Rows rows =
        owner().Run("SELECT state FROM otp.deliveries WHERE event_id = $1", event.event_id);
    return rows.empty() ? "none" : rows.Only().Get<std::string>("state");
  }
  [[nodiscard]] bool AllAre(const std::vector<SealedEvent>& events, const std::string& state) {
    return owner().One<std::size_t>(
               "SELECT count(*) FROM otp.deliveries WHERE event_id = ANY ($1) AND state = $2",
               pg::Column(events, &SealedEvent::event_id), state) == events.size();
  }
  [[nodiscard]] bool EachWasSentOnce(const std::vector<SealedEvent>& events) {
    return std::ranges::all_of(events, [&](const SealedEvent& event) {
      return provider().SendsTo(event.phone).size() == 1;
    });
  }
  // ce_id of what the group would read next, after all replicas have stopped.
  [[nodiscard]] std::vector<std::string> LeftInTopic() {
    kafka::ConsumerSettings settings;
    settings.client = support::Cluster();
    settings.group = Group();
    settings.session_timeout = seconds(6);
    settings.partition_end = true;
    kafka::Consumer consumer(settings);
    consumer.Subscribe({topic_->name()});
    return ReadToTheEnds(consumer, kPartitions, [](const kafka::Message& message) {
      return std::string(message.Header("ce_id").value_or(""));
    });
  }
  [[nodiscard]] std::vector<support::Record> DeadLetterRecords() {
    kafka::ConsumerSettings settings;
    settings.client = support::Cluster();
    settings.partition_end = true;
    kafka::Consumer consumer(settings);
    consumer.Assign({{{topic_->name() + ".dlt", 0}, kafka::kFirst}});
    return ReadToTheEnds(consumer, 1, [](const kafka::Message& message) {
      support::Record record{.topic = std::string(message.topic()),
                             .partition = message.partition(),
                             .offset = message.offset(),
                             .key = std::string(message.key().value_or("")),
                             .value = std::string(message.value()),
                             .headers = {}};
      for (const auto& [name, value] : message.Headers()) record.headers.emplace_back(name, value);
      return record;
    });
  }
  [[nodiscard]] double Metric(Replica& replica, const std::string& name) {
    const std::string text = replica.flows().registry().Text();
    const auto at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
  }
  void StopAll() { replicas_.clear(); }

  std::unique_ptr<support::Topic> topic_;
  std::unique_ptr<kafka::Producer> producer_;
  std::vector<std::unique_ptr<Replica>> replicas_;

 private:
  std::string generation_;
};

TEST_F(VerificationConsumerTest, AnEventBecomesACodeOnThePhoneThatIsApproved) {
  Replica& replica = Start();
  const SealedEvent event = NewEvent();
  ProduceEvent(event);
  Flush();
  ASSERT_TRUE(Eventually([&] { return StateOfEvent(event) == "sent"; }));
  const auto sends = provider().SendsTo(event.phone);
  ASSERT_EQ(sends.size(), 1U);
  EXPECT_EQ(sends[0].locale, "de-DE");
  EXPECT_EQ(sends[0].traceparent.substr(3, 32), "4bf92f3577b34da6a3ce929d0e0e4736");
  SendIntent intent = NewIntent(keys());
  intent.challenge_id = {event.challenge_id};
  EXPECT_EQ(WordOf(replica.flows().Verify(intent, sends[0].code.Reveal())), "approved");
  EXPECT_THAT(replica.flows().log().Text(),
              ::testing::HasSubstr("4bf92f3577b34da6a3ce929d0e0e4736"));
}

TEST_F(VerificationConsumerTest, TheTopicReadThreeTimesFromTheBeginningSendsEachEventOnce) {
  const auto events = ProduceEvents(100);
  Start();
  ASSERT_TRUE(Eventually([&] { return AllAre(events, "sent"); }));
  for (int round = 0; round < 3; ++round) {
    StopAll();
    EXPECT_TRUE(LeftInTopic().empty());
    Rewind();
    Replica& replica = Start();
    ASSERT_TRUE(Eventually([&] { return Metric(replica, "otp_repeated_records_total") == 100; }));
  }
  EXPECT_TRUE(AllAre(events, "sent"));
  EXPECT_EQ(provider().Sends().size(), 100U);
  EXPECT_TRUE(EachWasSentOnce(events));
}

TEST_F(VerificationConsumerTest, NoOffsetPassesARecordThatIsNotFinished) {
  const SealedEvent slow = NewEvent();
  provider().Hold(slow.phone);
  Replica& replica = Start({.lease = milliseconds(500)});
  ProduceEvent(slow);
  const auto events = ProduceEvents(60);
  ASSERT_TRUE(Eventually([&] { return AllAre(events, "sent"); }));
  replica.Kill();
  StopAll();
  provider().Forget();
  const auto left = LeftInTopic();
  EXPECT_THAT(left, Contains(ToString(slow.event_id)));

  Replica& next = Start();
  ASSERT_TRUE(Eventually([&] {
    next.flows().give_up_overdue().Run();
    return StateOfEvent(slow) == "unknown";
  }));
  const auto finished = [&] { return Metric(next, "otp_finished_records_total"); };
  ASSERT_TRUE(Eventually([&] { return finished() == static_cast<double>(left.size()); }));
  StopAll();
  EXPECT_TRUE(LeftInTopic().empty());
  EXPECT_EQ(provider().SendsTo(slow.phone).size(), 1U);
  EXPECT_TRUE(EachWasSentOnce(events));
}

TEST_F(VerificationConsumerTest, AStopFinishesWhatTheProviderHasAndTheNextGoesOnFromThere) {
  provider().Takes(milliseconds(150));
  Replica& first = Start({.in_flight = 8});
  const auto events = ProduceEvents(100);
  ASSERT_TRUE(Eventually([&] { return provider().Sends().size() >= 20; }));
  first.Stop();
  StopAll();
  EXPECT_EQ(owner().One<int>("SELECT count(*) FROM otp.deliveries WHERE state = 'sending'"
                             " AND event_id = ANY ($1)",
                             pg::Column(events, &SealedEvent::event_id)),
            0);
  provider().Takes(milliseconds(1));
  Start();
  ASSERT_TRUE(Eventually([&] { return AllAre(events, "sent"); }));
  EXPECT_TRUE(EachWasSentOnce(events));
  StopAll();
  EXPECT_TRUE(LeftInTopic().empty());
}

TEST_F(VerificationConsumerTest, AReplicaThatJoinsAndOneThatLeavesLoseNothingAndRepeatNothing) {
  provider().Takes(milliseconds(20));
  Start({.in_flight = 4});
  auto events = ProduceEvents(150);
  ASSERT_TRUE(Eventually([&] { return provider().Sends().size() >= 10; }));
  Start({.in_flight = 4});
  const auto more = ProduceEvents(150);
  events.insert(events.end(), more.begin(), more.end());
  ASSERT_TRUE(Eventually([&] { return provider().Sends().size() >= 150; }));
  replicas_.front()->Stop();
  ASSERT_TRUE(Eventually([&] { return AllAre(events, "sent"); }));
  EXPECT_TRUE(EachWasSentOnce(events));
  EXPECT_LE(provider().MostAtOnceToOneNumber(), 1);
  StopAll();
  EXPECT_TRUE(LeftInTopic().empty());
}

TEST_F(VerificationConsumerTest, MoreRecordsThanMayBeUnfinishedAreFetchedLater) {
  provider().Hold();
  Replica& replica = Start({.in_flight = 4}, 10);
  const auto events = ProduceEvents(200);
  ASSERT_TRUE(Eventually([&] { return provider().Sends().size() == 4; }));
  std::this_thread::sleep_for(seconds(1));  // long enough to be paused
  EXPECT_LE(owner().One<int>("SELECT count(*) FROM otp.deliveries WHERE event_id = ANY ($1)",
                             pg::Column(events, &SealedEvent::event_id)),
            10);
  EXPECT_THAT(replica.flows().registry().Text(),
              ::testing::HasSubstr("\notp_unfinished_records 10"));
  provider().Release();
  ASSERT_TRUE(Eventually([&] { return AllAre(events, "sent"); }));
  StopAll();
  EXPECT_TRUE(LeftInTopic().empty());
  EXPECT_TRUE(EachWasSentOnce(events));
}

TEST_F(VerificationConsumerTest, WhatCannotBeReadIsPutAsideWithEverythingThatWasInIt) {
  Replica& replica = Start();
  Produce("some key", "not json at all \x01", {{"ce_id", "x"}, {"ce_type", "otp.send"}});
  SealedEvent sealed = NewEvent();
  const std::string value = ToValue(sealed, keys().recipient, keys().random);
  const Uuid moved = keys().ids.Next();  // a box that belongs to another event
  Produce(ToString(sealed.subject_id), value,
          {{"ce_id", ToString(moved)}, {"ce_type", "otp.send"}, {"extra", "kept"}});
  const SealedEvent good = NewEvent();
  ProduceEvent(good);
  Flush();
  ASSERT_TRUE(Eventually([&] { return StateOfEvent(good) == "sent"; }));
  ASSERT_TRUE(Eventually([&] { return Metric(replica, "otp_dead_letters_total") == 2; }));
  StopAll();
  EXPECT_TRUE(LeftInTopic().empty());
  sealed.event_id = moved;
  EXPECT_EQ(StateOfEvent(sealed), "none");

  const auto letters = DeadLetterRecords();
  ASSERT_EQ(letters.size(), 2U);
  const auto& first = letters[0].Header("ce_id") == "x" ? letters[0] : letters[1];
  const auto& second = letters[0].Header("ce_id") == "x" ? letters[1] : letters[0];
  EXPECT_EQ(first.key, "some key");
  EXPECT_EQ(first.value, "not json at all \x01");
  EXPECT_EQ(first.Header("dlt_why"), "ce_id is no UUID");
  EXPECT_EQ(first.Header("dlt_topic"), topic_->name());
  EXPECT_EQ(second.value, value);
  EXPECT_EQ(second.Header("dlt_why"), "sealed_recipient does not open");
  EXPECT_EQ(second.Header("extra"), "kept");
  EXPECT_FALSE(second.Header("dlt_partition").empty());
  EXPECT_FALSE(second.Header("dlt_offset").empty());
}

TEST_F(VerificationConsumerTest, AnExpiredEventWhoseKeyIsGoneIsToldAndNotPutAside) {
  Start();
  SealedEvent event = NewEvent();
  event.expires_at = keys().clock.Now() - seconds(1);
  std::string value = ToValue(event, keys().recipient, keys().random);
  const auto at = value.find("v1.2");
  ASSERT_NE(at, std::string::npos);
  value.replace(at, 4, "v1.1");  // a key of a day long ago
  Produce(ToString(event.subject_id), value,
          {{"ce_id", ToString(event.event_id)}, {"ce_type", "otp.send"}});
  Flush();
  ASSERT_TRUE(Eventually([&] { return StateOfEvent(event) == "expired"; }));
  SendIntent intent = NewIntent(keys());
  intent.subject_id = {event.subject_id};
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.expired"));
  StopAll();
  EXPECT_TRUE(LeftInTopic().empty());
  EXPECT_TRUE(DeadLetterRecords().empty());
}

TEST_F(VerificationConsumerTest, DecoysAreKeptAndNeverSent) {
  Start();
  SealedEvent event = NewEvent();
  event.deliver = false;
  ProduceEvent(event);
  Flush();
  ASSERT_TRUE(Eventually([&] { return StateOfEvent(event) == "decoy"; }));
  StopAll();
  EXPECT_TRUE(LeftInTopic().empty());
  EXPECT_TRUE(provider().Sends().empty());
}

TEST_F(VerificationConsumerTest, WhileTheProviderIsMisconfiguredNothingMoreIsTakenAndHealthSaysSo) {
  provider().Answers([](const providers::SendOrder&) {
    return providers::SendOutcome{.status = providers::SendStatus::kRejected,
                                  .refusal = providers::Refusal::kProviderMisconfigured,
                                  .detail = "HTTP 401"};
  });
  Replica& replica = Start({.in_flight = 4});
  auto events = ProduceEvents(10);
  ASSERT_TRUE(Eventually([&] { return replica.flows().deliver().halted(); }));
  EXPECT_THAT(replica.flows().observer().Health(), ::testing::HasSubstr("misconfigured"));
  std::this_thread::sleep_for(seconds(1));
  const auto taken = provider().Sends().size();
  EXPECT_LE(taken, 4U);
  const auto more = ProduceEvents(20);
  std::this_thread::sleep_for(seconds(1));
  EXPECT_EQ(StateOfEvent(more.back()), "none");
  EXPECT_EQ(provider().Sends().size(), taken);
  provider().Answers({});
  replica.flows().deliver().Resume();
  events.insert(events.end(), more.begin(), more.end());
  ASSERT_TRUE(Eventually([&] { return AllAre(events, "sent"); }));
  StopAll();
  EXPECT_TRUE(LeftInTopic().empty());
}

TEST_F(VerificationConsumerTest, SendsOfANumberKeepTheirOrder) {
  provider().Takes(milliseconds(3));
  Start();
  SealedEvent event = NewEvent();
  std::vector<std::string> codes;
  for (int i = 0; i < 30; ++i) {
    SealedEvent next = NewEvent();
    next.subject_id = event.subject_id;
    next.phone = event.phone;
    ProduceEvent(next);
    codes.push_back(ToString(next.challenge_id));
  }
  Flush();
  ASSERT_TRUE(Eventually([&] { return provider().SendsTo(event.phone).size() == 30; }));
  StopAll();
  const pg::Rows rows = owner().Run(
      "SELECT payload->>'challenge_id' AS told FROM otp.event_log WHERE key = $1 ORDER BY id",
      ToString(event.subject_id));
  std::vector<std::string> told;
  for (const pg::Row row : rows) told.push_back(row.Get<std::string>("told"));
  EXPECT_EQ(told, codes);
  EXPECT_EQ(provider().MostAtOnceToOneNumber(), 1);
}

}  // namespace
}  // namespace countersign::otp
