#include "libs/rpc/check_text.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/rpc/error_details.pb.h>
#include <gtest/gtest.h>

#include "countersign/otp/v1/otp.pb.h"

namespace countersign::rpc {
namespace {

const std::string kNul("a\0b", 3);
const std::string kBrokenUtf8 = "a\xc3(";

TEST(CheckText, AcceptsTextOfEveryLanguageAndAnyBytes) {
  otp::v1::VerifyOtpRequest request;
  request.set_code("Ünïcödé €");
  request.set_claim_id(kNul + "\xff");
  EXPECT_TRUE(CheckText(request));
}

TEST(CheckText, NamesTheFieldWithNulOrBrokenUtf8) {
  for (const std::string& bad : {kNul, kBrokenUtf8}) {
    otp::v1::VerifyOtpRequest request;
    request.set_code(bad);
    const auto checked = CheckText(request);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().reason, &reasons::kFieldInvalid);
    EXPECT_EQ(checked.error().field, "code");
    EXPECT_EQ(checked.error().detail.find('\0'), std::string::npos);
  }
}

TEST(CheckText, NamesThePathInsideMessagesListsAndMaps) {
  google::rpc::BadRequest nested;
  nested.add_field_violations()->set_field("fine");
  nested.add_field_violations()->set_description(kNul);
  EXPECT_EQ(CheckText(nested).error().field, "field_violations[1].description");

  google::rpc::DebugInfo list;
  list.add_stack_entries("fine");
  list.add_stack_entries(kNul);
  EXPECT_EQ(CheckText(list).error().field, "stack_entries[1]");

  google::rpc::ErrorInfo map;
  (*map.mutable_metadata())["key"] = kNul;
  EXPECT_EQ(CheckText(map).error().field, "metadata[0].value");
}

TEST(CheckText, NamesAKnownFieldOfTheWrongWireType) {
  otp::v1::VerifyOtpRequest request;
  ASSERT_TRUE(request.ParseFromString(std::string("\x10\x05", 2)));  // field 2 as a varint
  EXPECT_EQ(CheckText(request).error().field, "code");
}

TEST(CheckText, AcceptsFieldsOfALaterContract) {
  otp::v1::VerifyOtpRequest request;
  ASSERT_TRUE(request.ParseFromString(std::string("\xa0\x06\x05", 3)));  // field 100
  EXPECT_TRUE(CheckText(request));
}

TEST(CheckText, EndsAtAHostileDepth) {
  google::protobuf::Value deep;
  google::protobuf::Value* at = &deep;
  for (int i = 0; i < 50; ++i) at = at->mutable_list_value()->add_values();
  at->set_string_value("bottom");
  EXPECT_FALSE(CheckText(deep));
}

TEST(WhyUndecodable, NamesTheFieldTheDecoderRefused) {
  const otp::v1::VerifyOtpRequest prototype;
  const std::string wire = "\x12\x03" + kBrokenUtf8;
  otp::v1::VerifyOtpRequest decoded;
  ASSERT_FALSE(decoded.ParseFromString(wire));
  EXPECT_EQ(WhyUndecodable(prototype, wire).field, "code");
  EXPECT_EQ(WhyUndecodable(prototype, "\xff\xff\xff").field, "request");
  EXPECT_EQ(WhyUndecodable(google::rpc::BadRequest(), "\x0a\x05\x0a\x03" + kBrokenUtf8).field,
            "field_violations.field");
}

}  // namespace
}  // namespace countersign::rpc
