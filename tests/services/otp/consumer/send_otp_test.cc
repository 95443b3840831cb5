#include "services/otp/consumer/send_otp.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "libs/keystore/provision.h"
#include "tests/services/otp/flows/sealed_event.h"
#include "tests/support/keys/keys.h"

namespace countersign::otp {
namespace {

constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

class SendOtp : public ::testing::Test {
 protected:
  [[nodiscard]] SealedEvent Event() {
    return {.event_id = RandomUuid(random_),
            .challenge_id = RandomUuid(random_),
            .subject_id = RandomUuid(random_),
            .expires_at = Instant{std::chrono::microseconds(1'767'323'045'000'006)}};
  }
  // Read as a record of this event; `value` replaces what it says.
  [[nodiscard]] tl::expected<ReadSendOtp, std::string> ReadAs(const SealedEvent& event,
                                                              const std::string& value) {
    const std::string id = ToString(event.event_id);
    return Read({.type = "otp.send", .event_id = id, .traceparent = kTrace, .value = value}, ring_,
                random_);
  }
  [[nodiscard]] tl::expected<ReadSendOtp, std::string> ReadEvent(const SealedEvent& event) {
    return ReadAs(event, ToValue(event, ring_, random_));
  }
  [[nodiscard]] std::string WhyNot(const SealedEvent& event) {
    const auto read = ReadEvent(event);
    return read ? "it can" : read.error();
  }

  SystemClock clock_;
  SystemRandom random_;
  test::KeyFolder folder_{clock_};
  keystore::SealingRing ring_{folder_.Ring(keystore::kRecipientRing),
                              keystore::CurrentKey::kOfTheDay, clock_};
};

TEST_F(SendOtp, IsReadAsItWasWritten) {
  const SealedEvent event = Event();
  const auto read = ReadEvent(event);
  ASSERT_TRUE(read.has_value()) << read.error();
  const SendIntent& intent = read->intent;
  EXPECT_EQ(intent.event_id, event.event_id);
  EXPECT_EQ(intent.challenge_id.value, event.challenge_id);
  EXPECT_EQ(intent.subject_id.value, event.subject_id);
  EXPECT_EQ(intent.purpose, Purpose::kSignup);
  EXPECT_EQ(intent.channel, providers::Channel::kSms);
  EXPECT_EQ(intent.locale, "de-DE");
  EXPECT_EQ(intent.send_number, 1);
  EXPECT_EQ(intent.expires_at, event.expires_at);
  ASSERT_TRUE(intent.recipient.has_value()) << read->why_sealed;
  EXPECT_EQ(intent.recipient->phone_number.Reveal(), event.phone);
  EXPECT_TRUE(intent.recipient->deliver);
}

TEST_F(SendOtp, ADecoyIsReadAsOne) {
  SealedEvent event = Event();
  event.deliver = false;
  const auto read = ReadEvent(event);
  ASSERT_TRUE(read.has_value());
  EXPECT_FALSE(read->intent.recipient->deliver);
}

TEST_F(SendOtp, ContinuesTheTraceOfItsHeader) {
  const auto read = ReadEvent(Event());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(TraceIdText(read->intent.trace), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_NE(ToString(read->intent.trace), kTrace) << "with a span of its own";
}

// Whether that matters only the database's clock can say: the rest must be there to say it about.
TEST_F(SendOtp, ARecipientThatCannotBeOpenedLeavesTheRest) {
  const SealedEvent event = Event();
  const std::string sealed = ToValue(event, ring_, random_);
  SealedEvent other = Event();  // a box of another event
  const auto moved = ReadAs(other, sealed);
  ASSERT_TRUE(moved.has_value()) << moved.error();
  EXPECT_FALSE(moved->intent.recipient.has_value());
  EXPECT_EQ(moved->why_sealed, "sealed_recipient does not open");

  test::KeyFolder elsewhere(clock_);
  for (const auto& file :
       std::filesystem::directory_iterator(elsewhere.Ring(keystore::kRecipientRing))) {
    std::filesystem::rename(
        file.path(), file.path().parent_path() / ("9" + file.path().filename().string().substr(1)));
  }
  keystore::SealingRing unknown(elsewhere.Ring(keystore::kRecipientRing),
                                keystore::CurrentKey::kGreatestId, clock_);
  const auto lost = ReadAs(event, ToValue(event, unknown, random_));
  ASSERT_TRUE(lost.has_value()) << lost.error();
  EXPECT_FALSE(lost->intent.recipient.has_value());
  EXPECT_EQ(lost->why_sealed.rfind("no recipient key 9", 0), 0U) << lost->why_sealed;
}

TEST_F(SendOtp, ARecipientWithoutAPhoneNumberIsNone) {
  for (const char* phone :
       {"", "4915112345678", "+0123456789", "+49 151", "+4915112345678901234"}) {
    SealedEvent event = Event();
    event.phone = phone;
    const auto read = ReadEvent(event);
    ASSERT_TRUE(read.has_value());
    EXPECT_FALSE(read->intent.recipient.has_value()) << phone;
  }
}

TEST_F(SendOtp, WhatIsUnsoundIsRefusedWithTheReasonAndWithoutTheContent) {
  const SealedEvent good = Event();
  const std::string value = ToValue(good, ring_, random_);
  EXPECT_EQ(ReadAs(good, "").error(), "the value is no SendOtp");
  EXPECT_EQ(ReadAs(good, "{").error(), "the value is no SendOtp");
  EXPECT_EQ(ReadAs(good, "[]").error(), "the value is no SendOtp");
  EXPECT_EQ(ReadAs(good, "\xff{}").error(), "the value is no SendOtp");
  EXPECT_EQ(ReadAs(good, "{}").error(), "challenge_id is no UUID");
  SealedEvent event = good;
  event.purpose = "reset";
  EXPECT_EQ(WhyNot(event), "unknown purpose");
  event = good;
  event.channel = "pigeon";
  EXPECT_EQ(WhyNot(event), "unknown channel");
  event = good;
  event.send_number = 0;
  EXPECT_EQ(WhyNot(event), "send_number is not positive");
  const std::string id = ToString(good.event_id);
  EXPECT_EQ(Read({.type = "user.created", .event_id = id, .traceparent = {}, .value = value}, ring_,
                 random_)
                .error(),
            "ce_type is not otp.send");
  EXPECT_EQ(
      Read({.type = "otp.send", .event_id = "x", .traceparent = {}, .value = value}, ring_, random_)
          .error(),
      "ce_id is no UUID");
}

TEST_F(SendOtp, FieldsOfALaterVersionAreIgnored) {
  const SealedEvent event = Event();
  std::string value = ToValue(event, ring_, random_);
  value.insert(1, R"("from_the_future":{"a":[1]},)");
  EXPECT_TRUE(ReadAs(event, value).has_value());
}

}  // namespace
}  // namespace countersign::otp
