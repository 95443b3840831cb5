#include "services/auth/domain/verification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

namespace countersign::auth {
namespace {

using namespace std::chrono_literals;

constexpr std::array kRefusals = {Refusal::kNone,
                                  Refusal::kWrong,
                                  Refusal::kExhausted,
                                  Refusal::kExpired,
                                  Refusal::kNotFound,
                                  Refusal::kUsed,
                                  Refusal::kAlreadyRegistered,
                                  Refusal::kAccountNotVerified,
                                  Refusal::kAccountSuspended};

TEST(PurposeTest, EachHasAWordThatIsReadBackAndAStep) {
  EXPECT_EQ(ParsePurpose("signup"), Purpose::kSignup);
  EXPECT_EQ(ParsePurpose("login"), Purpose::kLogin);
  EXPECT_EQ(ParsePurpose("Login"), std::nullopt);
  EXPECT_EQ(ParsePurpose(""), std::nullopt);
  for (const auto purpose : {Purpose::kSignup, Purpose::kLogin}) {
    EXPECT_EQ(ParsePurpose(ToString(purpose)), purpose);
  }
  EXPECT_NE(RedeemingStep(Purpose::kSignup), RedeemingStep(Purpose::kLogin));
}

TEST(SendDecisionTest, ReadsTheWordsOfItsStatement) {
  using Outcome = SendDecision::Outcome;
  EXPECT_EQ(ParseSendOutcome("granted"), Outcome::kGranted);
  EXPECT_EQ(ParseSendOutcome("cooling"), Outcome::kCooling);
  EXPECT_EQ(ParseSendOutcome("limited"), Outcome::kLimited);
  EXPECT_EQ(ParseSendOutcome("closed"), Outcome::kClosed);
  EXPECT_EQ(ParseSendOutcome("GRANTED"), std::nullopt);
  EXPECT_EQ(ParseSendOutcome(""), std::nullopt);
}

TEST(SendDecisionTest, ARefusalByTheLimitCarriesTheWait) {
  SendDecision decision{.outcome = SendDecision::Outcome::kCooling, .wait = 30s};
  EXPECT_EQ(ToError(decision).reason, &reasons::kResendTooSoon);
  EXPECT_EQ(ToError(decision).retry_after, 30s);
  decision.outcome = SendDecision::Outcome::kLimited;
  EXPECT_EQ(ToError(decision).reason, &reasons::kSendLimitReached);
  EXPECT_EQ(ToError(decision).retry_after, 30s);
}

// Whether a verification exists is nothing a guesser may learn, so there is no wait either.
TEST(SendDecisionTest, AClosedVerificationLooksLikeAWrongCode) {
  const SendDecision decision{.outcome = SendDecision::Outcome::kClosed, .wait = 30s};
  EXPECT_EQ(ToError(decision).reason, &reasons::kCodeRejected);
  EXPECT_EQ(ToError(decision).retry_after, 0s);
}

TEST(SendDecisionTest, WithoutAWordItIsClosed) {
  EXPECT_EQ(SendDecision{}.outcome, SendDecision::Outcome::kClosed);
}

TEST(SendDecisionDeathTest, AGrantHasNoRefusal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const SendDecision granted{.outcome = SendDecision::Outcome::kGranted};
  EXPECT_DEATH(static_cast<void>(ToError(granted)), "no refusal");
}

TEST(RefusalTest, EachHasAWordOfItsOwnThatIsReadBack) {
  std::set<std::string_view> words;
  for (const auto refusal : kRefusals) {
    EXPECT_TRUE(words.insert(ToString(refusal)).second);
    EXPECT_EQ(ParseRefusal(ToString(refusal)), refusal);
  }
  EXPECT_EQ(ToString(Refusal::kNone), "");
  EXPECT_EQ(ParseRefusal("Wrong"), std::nullopt);
}

TEST(RefusalTest, OnlyAnApprovedCodeIsNoRefusal) {
  EXPECT_EQ(RefusalOf(Verdict::kApproved), Refusal::kNone);
  EXPECT_EQ(RefusalOf(Verdict::kWrong), Refusal::kWrong);
  EXPECT_EQ(RefusalOf(Verdict::kExhausted), Refusal::kExhausted);
  EXPECT_EQ(RefusalOf(Verdict::kExpired), Refusal::kExpired);
  EXPECT_EQ(RefusalOf(Verdict::kNotFound), Refusal::kNotFound);
  EXPECT_EQ(RefusalOf(Verdict::kUsed), Refusal::kUsed);
  EXPECT_NE(RefusalOf(static_cast<Verdict>(99)), Refusal::kNone);
}

TEST(RefusalTest, WhatAGuesserCanCauseLooksAllTheSame) {
  for (const auto refusal : {Refusal::kWrong, Refusal::kExhausted, Refusal::kExpired,
                             Refusal::kNotFound, Refusal::kUsed}) {
    EXPECT_EQ(&ToldToCaller(refusal), &reasons::kCodeRejected);
  }
}

TEST(RefusalTest, TheStateOfTheAccountIsToldAfterARightCode) {
  EXPECT_EQ(&ToldToCaller(Refusal::kAlreadyRegistered), &reasons::kAlreadyRegistered);
  EXPECT_EQ(&ToldToCaller(Refusal::kAccountNotVerified), &reasons::kAccountNotVerified);
  EXPECT_EQ(&ToldToCaller(Refusal::kAccountSuspended), &reasons::kAccountSuspended);
}

TEST(RefusalDeathTest, ARedeemedCodeHasNone) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(static_cast<void>(ToldToCaller(Refusal::kNone)), "no refusal");
}

}  // namespace
}  // namespace countersign::auth
