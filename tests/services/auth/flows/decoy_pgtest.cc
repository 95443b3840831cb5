#include <map>

#include "libs/crypto/sealed_box.h"
#include "tests/services/auth/flows/flow_test.h"

namespace countersign::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

namespace v1 = countersign::events::v1;

class DecoyTest : public FlowTest {
 protected:
  [[nodiscard]] LogRow LastSendTo(const std::string& phone) {
    const auto rows = RowsOfKey(owner(), SubjectOf(phone));
    for (auto row = rows.rbegin(); row != rows.rend(); ++row)
      if (row->type == "otp.send") return *row;
    throw std::runtime_error("no otp.send");
  }
  [[nodiscard]] v1::SealedRecipient RecipientOf(const LogRow& row) {
    const auto box = crypto::ParseSealedBox(Parsed<v1::SendOtp>(row).sealed_recipient());
    if (!box) throw std::runtime_error("not a sealed box");
    const auto key = keys().recipient.Find(box->key_id);
    const auto opened =
        crypto::OpenSealedBox(key->material, *box, "otp.send/" + ToString(row.event_id));
    if (!opened) throw std::runtime_error("the box does not open");
    v1::SealedRecipient recipient;
    ParseInto(*opened, recipient);
    return recipient;
  }
  // Rows of each table that the transaction of this log row wrote: inserted, or changed and not
  // since changed again.
  [[nodiscard]] std::map<std::string, std::int64_t> RowsWrittenWith(const LogRow& row) {
    std::map<std::string, std::int64_t> written;
    for (const pg::Row table : owner().Run(
             "WITH w AS (SELECT (xid::text::bigint % (1::bigint << 32))::text AS x"
             "             FROM auth.event_log WHERE id = $1::bigint)"
             " SELECT 'users' AS name, count(*) AS rows FROM auth.users, w WHERE users.xmin::text "
             "= x"
             " UNION ALL SELECT 'numbers', count(*) FROM auth.numbers t, w WHERE t.xmin::text = x"
             " UNION ALL SELECT 'verifications', count(*) FROM auth.verifications t, w"
             "  WHERE t.xmin::text = x"
             " UNION ALL SELECT 'sessions', count(*) FROM auth.sessions t, w WHERE t.xmin::text = x"
             " UNION ALL SELECT 'event_log', count(*) FROM auth.event_log t, w"
             "  WHERE t.xid::text = x",
             row.id)) {
      const auto rows = table.Get<std::int64_t>("rows");
      if (rows > 0) written[table.Get<std::string>("name")] = rows;
    }
    return written;
  }
};

TEST_F(DecoyTest, C8_ALogInOfAnUnknownNumberWritesTheSameRowsAsOfAKnownOne) {
  const std::string known = NewPerson().phone;
  const std::string pending = NewPhone();
  ASSERT_TRUE(auth().SignUp({.phone_number = pending}));
  LetPass(pending, "1 minute");
  const std::string unknown = NewPhone();
  for (const std::string& phone : {known, pending, unknown}) {
    ASSERT_TRUE(auth().LogIn(phone));
    EXPECT_THAT(
        RowsWrittenWith(LastSendTo(phone)),
        UnorderedElementsAre(Pair("numbers", 1), Pair("verifications", 1), Pair("event_log", 1)));
  }
}

TEST_F(DecoyTest, C8_ARefusedSendWritesTheNumbersRowForKnownAndUnknownAlike) {
  for (const std::string& phone : {NewPerson().phone, NewPhone()}) {
    ASSERT_TRUE(auth().LogIn(phone));
    const auto version = [&] {
      return owner().One<std::string>("SELECT ctid::text FROM auth.numbers WHERE phone_hash = $1",
                                      HashOf(phone));
    };
    const std::string before = version();
    ASSERT_EQ(WordOf(auth().LogIn(phone)), "RESEND_TOO_SOON");
    EXPECT_NE(version(), before);
  }
}

TEST_F(DecoyTest, C8_AWrongCodeForAnUnknownNumberWritesAsManyRowsAsForAKnownOne) {
  const std::string known = NewPerson().phone;
  const std::string unknown = NewPhone();
  const std::string known_id = IdOfLogIn(known);
  const std::string unknown_id = IdOfLogIn(unknown);
  EXPECT_EQ(WordOf(auth().ValidateLogIn(known_id, kWrongCode)), "CODE_REJECTED");
  const LogRow of_known = AllRows(owner()).back();
  EXPECT_EQ(WordOf(auth().ValidateLogIn(unknown_id, kWrongCode)), "CODE_REJECTED");
  const LogRow of_unknown = AllRows(owner()).back();

  EXPECT_THAT(RowsWrittenWith(of_known),
              UnorderedElementsAre(Pair("users", 1), Pair("event_log", 1)));
  EXPECT_THAT(RowsWrittenWith(of_unknown),
              UnorderedElementsAre(Pair("numbers", 1), Pair("event_log", 1)));
  EXPECT_EQ(of_unknown.key, SubjectOf(unknown));
  EXPECT_EQ(of_unknown.seq, 2);
  EXPECT_EQ(Parsed<v1::SessionLoginFailed>(of_unknown).user_id(), "");
}

TEST_F(DecoyTest, C8_TheSealedRecipientAloneSaysThatADecoyIsNotDelivered) {
  const std::string known = NewPerson().phone;
  const std::string pending = NewPhone();
  ASSERT_TRUE(auth().SignUp({.phone_number = pending}));
  LetPass(pending, "1 minute");
  const std::string unknown = NewPhone();
  for (const std::string& phone : {known, pending, unknown}) {
    ASSERT_TRUE(auth().LogIn(phone));
    const v1::SealedRecipient recipient = RecipientOf(LastSendTo(phone));
    EXPECT_EQ(recipient.phone_number(), phone);
    EXPECT_EQ(recipient.deliver(), phone != unknown);
  }
}

TEST_F(DecoyTest, C8_KnownAndUnknownNumbersOfAnyLengthHaveEventsOfOneLength) {
  const std::string known = NewPerson().phone;
  const std::string unknown = NewPhone();
  const std::string unknown_and_short = "+49301234567";
  std::vector<std::size_t> payloads;
  std::vector<std::size_t> headers;
  for (const std::string& phone : {known, unknown, unknown_and_short}) {
    ASSERT_TRUE(auth().LogIn(phone));
    payloads.push_back(LastSendTo(phone).payload.size());
    headers.push_back(LastSendTo(phone).headers.size());
  }
  EXPECT_THAT(payloads, ElementsAre(payloads[0], payloads[0], payloads[0]));
  EXPECT_THAT(headers, ElementsAre(headers[0], headers[0], headers[0]));
}

TEST_F(DecoyTest, C8_AResentDecoyIsADecoy) {
  const std::string unknown = NewPhone();
  const std::string id = IdOfLogIn(unknown);
  LetPass(unknown, "30 seconds");
  ASSERT_TRUE(auth().Resend(id));
  const LogRow row = LastSendTo(unknown);
  EXPECT_EQ(Parsed<v1::SendOtp>(row).send_number(), 2);
  EXPECT_FALSE(RecipientOf(row).deliver());
}

TEST_F(DecoyTest, C8_OTP7_EvenAnApprovedDecoyBeginsNoSession) {
  const std::string unknown = NewPhone();
  EXPECT_EQ(WordOf(auth().ValidateLogIn(IdOfLogIn(unknown), kRightCode)), "CODE_REJECTED");
  EXPECT_EQ(UsersOf(unknown), 0);
  EXPECT_EQ(Parsed<v1::SessionLoginFailed>(AllRows(owner()).back()).reason(), "not_found");
}

TEST_F(DecoyTest, C8_ANumberThatWasNeverSignedUpHasNoUserRow) {
  const std::string unknown = NewPhone();
  ASSERT_TRUE(auth().LogIn(unknown));
  EXPECT_EQ(UsersOf(unknown), 0);
  // And signs up later as anybody does.
  LetPass(unknown, "1 minute");
  EXPECT_EQ(WordOf(auth().Verify(IdOfSignUp(unknown), kRightCode)), "OK");
  EXPECT_EQ(StatusOf(unknown), "active");
}

}  // namespace
}  // namespace countersign::auth
