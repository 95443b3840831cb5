// Codes that the provider makes: it checks them too, after the guess was counted here.
#include <deque>

#include "libs/crypto/digest.h"
#include "tests/services/otp/flows/fixture.h"

namespace countersign::otp {
namespace {

using providers::CheckOrder;
using providers::CheckStatus;
using ::testing::ElementsAre;
using Words = std::map<std::string, int>;

constexpr char kRight[] = "424242";

class AskProvider : public OtpTest {
 protected:
  void SetUp() override {
    OtpTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    verify_.AnswersChecks([this](const CheckOrder& order) { return Answer(order); });
    otp_ = std::make_unique<Installation>(AsService(), keys(), verify_);
  }

  // As the real one: five checks, one approval, then gone.
  [[nodiscard]] providers::CheckOutcome Answer(const CheckOrder& order) {
    const std::lock_guard lock(mutex_);
    if (!script_.empty()) {
      const CheckStatus status = script_.front();
      script_.pop_front();
      if (status == CheckStatus::kUnknown && order.code.Reveal() == kRight) approved_ = true;
      return {.status = status, .retry_after = std::chrono::seconds(1)};
    }
    if (approved_) {
      if (order.answer_was_lost) return {.status = CheckStatus::kApproved};  // "converted"
      return {.status = CheckStatus::kGone};
    }
    approved_ = order.code.Reveal() == kRight;
    return {.status = approved_ ? CheckStatus::kApproved : CheckStatus::kWrong};
  }
  void Script(std::deque<CheckStatus> script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
  }

  [[nodiscard]] SendIntent SentByProvider(Purpose purpose = Purpose::kSignup) {
    const SendIntent intent = NewIntent(keys(), purpose);
    EXPECT_EQ(otp_->Deliver(intent), DeliverCodeFlow::Taken::kFinished);
    return intent;
  }
  [[nodiscard]] std::string Try(const SendIntent& intent, const std::string& code) {
    return WordOf(otp_->Verify(intent, code));
  }

  RecordingProvider verify_{true};
  std::unique_ptr<Installation> otp_;

 private:
  std::mutex mutex_;
  std::deque<CheckStatus> script_;  // answers that come first
  bool approved_ = false;
};

TEST_F(AskProvider, ItIsToldNoCodeAndAskedByItsOwnId) {
  const SendIntent intent = SentByProvider(Purpose::kLogin);
  ASSERT_EQ(verify_.Sends().size(), 1U);
  EXPECT_TRUE(verify_.Sends()[0].code.Empty());
  EXPECT_EQ(Try(intent, kRight), "approved");
  ASSERT_EQ(verify_.Checks().size(), 1U);
  const CheckOrder check = verify_.Checks()[0];
  EXPECT_EQ(check.provider_sid, "SM1");
  EXPECT_EQ(check.purpose, "login");
  EXPECT_EQ(check.code.Reveal(), kRight);
  EXPECT_FALSE(check.answer_was_lost);
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.sent", "otp.approved"));
}

TEST_F(AskProvider, OTP4_TheGuessIsCountedAndCommittedBeforeItIsAsked) {
  const SendIntent intent = SentByProvider();
  int counted = -1;
  verify_.AnswersChecks([&](const CheckOrder&) {
    counted = AttemptsOf(intent);
    return providers::CheckOutcome{.status = CheckStatus::kWrong};
  });
  EXPECT_EQ(Try(intent, "000000"), "wrong");
  EXPECT_EQ(counted, 1);
}

TEST_F(AskProvider, OTP4_OfSixtyFourParallelGuessesItIsAskedFive) {
  const SendIntent intent = SentByProvider();
  const auto results =
      InParallel(64, [&](int n) { return otp_->Verify(intent, std::to_string(100'000 + n)); });
  EXPECT_EQ(WordsOf(results), (Words{{"wrong", 5}, {"exhausted", 59}}));
  EXPECT_EQ(verify_.Checks().size(), 5U);
  EXPECT_THAT(EventsOf(intent), ElementsAre("otp.sent", "otp.attempts_exceeded"));
}

TEST_F(AskProvider, OTP3_OfSixtyFourParallelRightCodesOneIsApproved) {
  const SendIntent intent = SentByProvider();
  auto words = WordsOf(InParallel(64, [&](int n) {
    return otp_->Verify(intent, kRight, crypto::Sha256(AsBytes(std::to_string(n))));
  }));
  EXPECT_EQ(words["approved"], 1);
  EXPECT_EQ(words["approved"] + words["used"] + words["not_found"], 64)
      << "not_found: gone at the provider, and not yet recorded here for whom";
  EXPECT_LE(verify_.Checks().size(), 5U);
}

TEST_F(AskProvider, WhatItCalledWrongIsNotAskedAgain) {
  const SendIntent intent = SentByProvider();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Try(intent, "000000"), "wrong");
  EXPECT_EQ(verify_.Checks().size(), 1U);
  EXPECT_EQ(AttemptsOf(intent), 1);
}

TEST_F(AskProvider, ALostAnswerIsRefusedAndTheSameClaimMayProveItself) {
  const SendIntent intent = SentByProvider();
  Script({CheckStatus::kUnknown});
  EXPECT_EQ(Try(intent, kRight), "OUTCOME_UNKNOWN") << "nothing fails open";
  EXPECT_EQ(Try(intent, kRight), "approved");
  EXPECT_EQ(AttemptsOf(intent), 1);
  ASSERT_EQ(verify_.Checks().size(), 2U);
  EXPECT_TRUE(verify_.Checks()[1].answer_was_lost);
}

TEST_F(AskProvider, AGuessItWasNotAskedMayBeAskedAgainWithoutBeingCounted) {
  const SendIntent intent = SentByProvider();
  Script({CheckStatus::kNotAsked});
  const auto refused = otp_->Verify(intent, kRight);
  EXPECT_EQ(WordOf(refused), "DEPENDENCY_UNAVAILABLE");
  EXPECT_EQ(refused.error().retry_after, std::chrono::seconds(1));
  EXPECT_EQ(Try(intent, kRight), "approved");
  EXPECT_EQ(AttemptsOf(intent), 1);
}

// That the verification was converted proves a claim only if no other can have converted it. The
// right claim's answer was lost, and so was a wrong one's.
TEST_F(AskProvider, OTP3_AWrongClaimNeverPassesForTheRightOneWhoseAnswerWasLost) {
  const SendIntent intent = SentByProvider();
  Script({CheckStatus::kUnknown, CheckStatus::kUnknown});
  EXPECT_EQ(Try(intent, "000000"), "OUTCOME_UNKNOWN");
  EXPECT_EQ(Try(intent, kRight), "OUTCOME_UNKNOWN");
  EXPECT_EQ(Try(intent, kRight), "not_found") << "it cannot prove itself";
  EXPECT_EQ(Try(intent, "000000"), "not_found") << "and must not become the only open one";
  for (const auto& check : verify_.Checks()) EXPECT_FALSE(check.answer_was_lost);
}

TEST_F(AskProvider, AResendReplacesTheVerificationWithoutResettingTheCount) {
  const SendIntent first = SentByProvider();
  EXPECT_EQ(Try(first, "000000"), "wrong");
  const SendIntent second = Resend(keys(), first);
  ASSERT_EQ(otp_->Deliver(second), DeliverCodeFlow::Taken::kFinished);
  ASSERT_EQ(verify_.Sends().size(), 2U);
  EXPECT_EQ(verify_.Sends()[1].supersedes_sid, "SM1");
  EXPECT_FALSE(verify_.Sends()[1].supersedes_unknown);
  EXPECT_EQ(Try(second, "000000"), "wrong") << "the same guess at another code";
  EXPECT_EQ(AttemptsOf(second), 2);
  EXPECT_EQ(verify_.Checks().back().provider_sid, "SM2");
}

TEST_F(AskProvider, ANewChallengeOfTheNumberEndsWhatIsOpenForTheSamePurpose) {
  const SendIntent signup = SentByProvider(Purpose::kSignup);
  const auto next = [&](Purpose purpose) {
    SendIntent intent = NewIntent(keys(), purpose);
    intent.subject_id = signup.subject_id;
    intent.recipient = signup.recipient;
    EXPECT_EQ(otp_->Deliver(intent), DeliverCodeFlow::Taken::kFinished);
    return intent;
  };
  static_cast<void>(next(Purpose::kLogin));
  EXPECT_EQ(verify_.Sends()[1].supersedes_sid, "") << "another purpose is another service";
  const SendIntent again = next(Purpose::kSignup);
  EXPECT_EQ(verify_.Sends()[2].supersedes_sid, "SM1");
  EXPECT_EQ(Try(again, kRight), "approved");
  static_cast<void>(next(Purpose::kSignup));
  EXPECT_EQ(verify_.Sends()[3].supersedes_sid, "SM1")
      << "an approved one is gone there, an older one may not be";
}

TEST_F(AskProvider, ASendThatIsUnknownIsEndedByNumberBeforeTheNext) {
  const SendIntent first = SentByProvider();
  verify_.Answers([](const providers::SendOrder&) {
    return providers::SendOutcome{.status = providers::SendStatus::kUnknown};
  });
  const SendIntent second = Resend(keys(), first);
  ASSERT_EQ(otp_->Deliver(second), DeliverCodeFlow::Taken::kFinished);
  EXPECT_EQ(StateOf(second), "unknown");
  EXPECT_EQ(Try(second, kRight), "not_found") << "nobody knows by which id to ask";
  const SendIntent third = Resend(keys(), second);
  ASSERT_EQ(otp_->Deliver(third), DeliverCodeFlow::Taken::kFinished);
  EXPECT_EQ(verify_.Sends()[2].supersedes_sid, "SM1");
  EXPECT_TRUE(verify_.Sends()[2].supersedes_unknown);
}

TEST_F(AskProvider, ADecoyIsAnsweredWithoutAskingAndNoFaster) {
  const SendIntent real = SentByProvider(Purpose::kLogin);
  verify_.AnswersChecks([](const CheckOrder&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(120));
    return providers::CheckOutcome{.status = CheckStatus::kWrong};
  });
  EXPECT_EQ(Try(real, "000000"), "wrong");
  SendIntent decoy = NewIntent(keys(), Purpose::kLogin);
  decoy.recipient->deliver = false;
  ASSERT_EQ(otp_->Deliver(decoy), DeliverCodeFlow::Taken::kFinished);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(Try(decoy, "000000"), "wrong");
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(119));
  EXPECT_EQ(verify_.Checks().size(), 1U);
}

}  // namespace
}  // namespace countersign::otp
