#include "services/outbox-relay/domain/pgoutput.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

#include "tests/services/outbox-relay/domain/pgoutput_message.h"

namespace countersign::relay {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(PgoutputTest, ReadsABegin) {
  Decoder decoder;
  const auto begin = std::get<Begin>(decoder.Decode(
      Bytes().Type('B').Number64(0x16B374D848).Number64(86'400'000'000).Number32(4711).Text()));
  EXPECT_EQ(begin.final_lsn, Lsn{0x16B374D848});
  EXPECT_EQ(begin.commit_time, Instant{std::chrono::sys_days{std::chrono::year{2000} / 1 / 2}});
  EXPECT_EQ(begin.xid, 4711U);
}

TEST(PgoutputTest, ReadsTimesBefore2000) {
  Decoder decoder;
  const auto begin =
      std::get<Begin>(decoder.Decode(Bytes()
                                         .Type('B')
                                         .Number64(1)
                                         .Number64(static_cast<std::uint64_t>(-1'000'000))
                                         .Number32(1)
                                         .Text()));
  EXPECT_EQ(begin.commit_time, Instant{std::chrono::sys_days{std::chrono::year{2000} / 1 / 1}} -
                                   std::chrono::seconds(1));
}

TEST(PgoutputTest, ACommitTellsWhereToResume) {
  Decoder decoder;
  const auto commit = std::get<Commit>(
      decoder.Decode(Bytes().Type('C').Byte(0).Number64(100).Number64(140).Number64(0).Text()));
  EXPECT_EQ(commit.end_lsn, Lsn{140});
}

TEST(PgoutputTest, ReadsARelation) {
  Decoder decoder;
  const auto bytes = RelationMessage(42, "auth", "event_log", {"id", "payload"});
  const auto relation = std::get<Relation>(decoder.Decode(bytes));
  EXPECT_EQ(relation.oid, 42U);
  EXPECT_EQ(relation.schema, "auth");
  EXPECT_EQ(relation.table, "event_log");
  EXPECT_THAT(relation.columns, ElementsAre("id", "payload"));
}

TEST(PgoutputTest, ARelationOfPgCatalogHasNoSchema) {
  Decoder decoder;
  const auto bytes = RelationMessage(42, "", "t", {});
  const auto relation = std::get<Relation>(decoder.Decode(bytes));
  EXPECT_EQ(relation.schema, "");
  EXPECT_THAT(relation.columns, IsEmpty());
}

TEST(PgoutputTest, ReadsTheFieldsOfAnInsert) {
  Decoder decoder;
  const auto bytes = Bytes()
                         .Type('I')
                         .Number32(42)
                         .Type('N')
                         .Number16(4)
                         .Value("one")
                         .Value("")
                         .Type('n')
                         .Type('u')
                         .Text();
  const auto insert = std::get<Insert>(decoder.Decode(bytes));
  EXPECT_EQ(insert.oid, 42U);
  ASSERT_EQ(insert.fields->size(), 4U);
  EXPECT_EQ((*insert.fields)[0].text, "one");
  EXPECT_TRUE((*insert.fields)[1].present);
  EXPECT_EQ((*insert.fields)[1].text, "");
  EXPECT_FALSE((*insert.fields)[2].present);
  EXPECT_FALSE((*insert.fields)[3].present);
}

TEST(PgoutputTest, AFieldMayHoldZeroBytesAndAnythingElse) {
  Decoder decoder;
  const std::string value("a\0b\xff", 4);
  const auto bytes = Bytes().Type('I').Number32(1).Type('N').Number16(1).Value(value).Text();
  EXPECT_EQ((*std::get<Insert>(decoder.Decode(bytes)).fields)[0].text, value);
}

TEST(PgoutputTest, FieldsOfOneInsertDoNotLeakIntoTheNext) {
  Decoder decoder;
  const auto wide =
      Bytes().Type('I').Number32(1).Type('N').Number16(2).Value("a").Value("b").Text();
  const auto narrow = Bytes().Type('I').Number32(1).Type('N').Number16(1).Type('n').Text();
  static_cast<void>(decoder.Decode(wide));
  const auto insert = std::get<Insert>(decoder.Decode(narrow));
  ASSERT_EQ(insert.fields->size(), 1U);
  EXPECT_FALSE((*insert.fields)[0].present);
}

TEST(PgoutputTest, IgnoresWhatIsNothingOfTheOutbox) {
  Decoder decoder;
  for (const char type : {'T', 'O', 'Y', 'U', 'D', 'M'}) {
    EXPECT_TRUE(std::holds_alternative<Ignored>(decoder.Decode(Bytes().Type(type).Text()))) << type;
  }
}

TEST(PgoutputTest, RefusesAnUnknownKindOfMessageAndField) {
  Decoder decoder;
  for (const char type : {'S', 'E', 'c', 'A', 'b', 'P', '\0', 'x', '\xff'}) {
    EXPECT_THROW(static_cast<void>(decoder.Decode(Bytes().Type(type).Text())), DecodeFault);
  }
  EXPECT_THROW(static_cast<void>(decoder.Decode("")), DecodeFault);
  // A binary value, which we do not ask for.
  EXPECT_THROW(
      static_cast<void>(decoder.Decode(
          Bytes().Type('I').Number32(1).Type('N').Number16(1).Type('b').Number32(0).Text())),
      DecodeFault);
  // An old row where the new one belongs.
  EXPECT_THROW(
      static_cast<void>(decoder.Decode(Bytes().Type('I').Number32(1).Type('O').Number16(0).Text())),
      DecodeFault);
}

TEST(PgoutputTest, RefusesLengthsThatGoBeyondTheMessage) {
  Decoder decoder;
  for (const std::uint32_t length : {5U, 0x7fffffffU, 0xffffffffU}) {
    EXPECT_THROW(static_cast<void>(decoder.Decode(Bytes()
                                                      .Type('I')
                                                      .Number32(1)
                                                      .Type('N')
                                                      .Number16(1)
                                                      .Type('t')
                                                      .Number32(length)
                                                      .Raw("four")
                                                      .Text())),
                 DecodeFault);
  }
  EXPECT_THROW(static_cast<void>(decoder.Decode(
                   Bytes().Type('I').Number32(1).Type('N').Number16(0xffff).Type('n').Text())),
               DecodeFault);
  EXPECT_THROW(
      static_cast<void>(decoder.Decode(Bytes().Type('R').Number32(1).Raw("no end").Text())),
      DecodeFault);
}

std::vector<std::string> WholeMessages() {
  return {Bytes().Type('B').Number64(1).Number64(2).Number32(3).Text(),
          Bytes().Type('C').Byte(0).Number64(1).Number64(2).Number64(3).Text(),
          RelationMessage(42, "auth", "event_log", {"id", "payload"}),
          Bytes()
              .Type('I')
              .Number32(42)
              .Type('N')
              .Number16(3)
              .Value("a value")
              .Type('n')
              .Value("")
              .Text()};
}

TEST(PgoutputTest, RefusesEveryTruncationAndEveryByteTooMany) {
  Decoder decoder;
  for (const auto& message : WholeMessages()) {
    EXPECT_NO_THROW(static_cast<void>(decoder.Decode(message)));
    for (std::size_t size = 0; size < message.size(); ++size) {
      // A copy of just that size, so that ASan sees a read beyond it.
      const std::vector<char> cut(message.data(), message.data() + size);
      EXPECT_THROW(static_cast<void>(decoder.Decode({cut.data(), cut.size()})), DecodeFault)
          << message[0] << " of " << size << " bytes";
    }
    EXPECT_THROW(static_cast<void>(decoder.Decode(message + "x")), DecodeFault);
  }
}

TEST(PgoutputTest, SurvivesRandomChanges) {
  std::mt19937 random(1);
  Decoder decoder;
  for (int i = 0; i < 20'000; ++i) {
    auto message = WholeMessages()[random() % 4];
    for (unsigned n = random() % 4 + 1; n > 0; --n) {
      message[random() % message.size()] = static_cast<char>(random() % 256);
    }
    const std::vector<char> exact(message.begin(), message.end());
    try {
      static_cast<void>(decoder.Decode({exact.data(), exact.size()}));
    } catch (const DecodeFault&) {
    }
  }
}

}  // namespace
}  // namespace countersign::relay
