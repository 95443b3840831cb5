#include "libs/rpc/status.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <gtest/gtest.h>

#include "libs/rpc/code_name.h"

namespace countersign::rpc {
namespace {

using std::chrono::milliseconds;

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

TEST(Status, CarriesReasonWaitAndFieldButNotTheDetail) {
  const Error error{&reasons::kResendTooSoon, "phone_number", "internal remark",
                    milliseconds(1500)};
  const grpc::Status status = ToStatus(error, "abc");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), reasons::kResendTooSoon.meaning);

  const google::rpc::Status details = DetailsOf(status);
  EXPECT_EQ(details.code(), static_cast<int>(status.error_code()));
  ASSERT_EQ(details.details_size(), 3);
  google::rpc::ErrorInfo info;
  google::rpc::RetryInfo retry;
  google::rpc::BadRequest bad;
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  ASSERT_TRUE(details.details(1).UnpackTo(&retry));
  ASSERT_TRUE(details.details(2).UnpackTo(&bad));
  EXPECT_EQ(info.reason(), "RESEND_TOO_SOON");
  EXPECT_EQ(info.domain(), "countersign");
  EXPECT_EQ(info.metadata().at("request_id"), "abc");
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
  EXPECT_EQ(bad.field_violations(0).field(), "phone_number");
  EXPECT_EQ(status.error_details().find("remark"), std::string::npos);
}

TEST(Status, GivesEveryReasonTheCodeOfItsKindAndItsName) {
  for (const Reason* reason : reasons::kAll) {
    const grpc::Status status = ToStatus(Error{reason, {}, {}, {}});
    EXPECT_EQ(status.error_code(), ToCode(reason->kind));
    EXPECT_FALSE(status.ok());
  }
  EXPECT_EQ(ToCode(ErrorKind::kConflict), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(CodeName(ErrorKind::kConflict), "ALREADY_EXISTS");
}

TEST(Status, ReadsAReasonBackWithItsWait) {
  const Error error =
      FromStatus(ToStatus(Error{&reasons::kOverloaded, {}, {}, milliseconds(2500)}));
  EXPECT_EQ(error.reason, &reasons::kOverloaded);
  EXPECT_EQ(error.retry_after, milliseconds(2500));
}

TEST(Status, DoesNotBlameOurCallerForWhatIsBetweenTwoServices) {
  EXPECT_EQ(FromStatus(ToStatus(Error{&reasons::kCallerNotAllowed, {}, {}, {}})).reason,
            &reasons::kDependencyUnavailable);
  EXPECT_EQ(FromStatus(ToStatus(Error{&reasons::kFieldInvalid, "code", {}, {}})).reason,
            &reasons::kInternal);
}

TEST(Status, MakesTheBestOfACodeWithoutReason) {
  const auto reason_of = [](grpc::StatusCode code) {
    return FromStatus(grpc::Status(code, "text of a stranger")).reason;
  };
  EXPECT_EQ(reason_of(grpc::StatusCode::UNAVAILABLE), &reasons::kDependencyUnavailable);
  EXPECT_EQ(reason_of(grpc::StatusCode::DEADLINE_EXCEEDED), &reasons::kDeadlineExceeded);
  EXPECT_EQ(reason_of(grpc::StatusCode::RESOURCE_EXHAUSTED), &reasons::kOverloaded);
  EXPECT_EQ(reason_of(grpc::StatusCode::UNIMPLEMENTED), &reasons::kInternal);
  const Error garbage = FromStatus(grpc::Status(grpc::StatusCode::UNKNOWN, "", "\xff\xff garbage"));
  EXPECT_EQ(garbage.reason, &reasons::kInternal);
}

}  // namespace
}  // namespace countersign::rpc
