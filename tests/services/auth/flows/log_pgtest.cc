#include "libs/crypto/sealed_box.h"
#include "tests/services/auth/flows/flow_test.h"

namespace countersign::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

namespace v1 = countersign::events::v1;

// What breaks statements, array literals, JSON, marks and careless character counting.
const std::vector<std::string> kAwkwardTexts = {
    R"("quoted" 'single' `back`)",
    R"(back\slash \" \\ \n \u0041)",
    R"({now} {subject_id} {send_number} {expires_at} {reason} {user_id})",
    R"({"a":"b"},{},[NULL,"x"])",
    R"($1 %s %n '); DROP TABLE auth.users; --)",
    "NULL",
    "Zoë Ünïcödé 李小龍 עברית",
    "𝒜𝓭𝓪 👩‍👩‍👧‍👦 \U0010FFFD",
    "line\xE2\x80\xA8separator",
};

class LogTest : public FlowTest {
 protected:
  [[nodiscard]] v1::PersonalData OpenPersonal(const LogRow& row, std::string_view sealed) {
    const auto user = owner().Run(
        "SELECT id, person_key, person_key_kek FROM auth.users WHERE id::text = $1", row.key);
    const auto key = keys().persons.Unwrap(
        user.Only().Get<Uuid>(0),
        {.wrapped = user.Only().Get<Bytes>(1), .kek_id = user.Only().Get<std::string>(2)});
    const auto box = crypto::ParseSealedBox(sealed);
    if (!key || !box) throw std::runtime_error("no key or no box");
    const auto opened =
        crypto::OpenSealedBox(*key, *box, ToString(row.event_id) + "/sealed_personal");
    if (!opened) throw std::runtime_error("the box does not open");
    v1::PersonalData personal;
    ParseInto(*opened, personal);
    return personal;
  }
};

TEST_F(LogTest, EveryEventOfAPersonsLifeIsAsProtobufPrintsItAndHasNoMarkLeft) {
  const std::string phone = NewPhone();
  const std::string id = IdOfSignUp(phone);
  ASSERT_FALSE(auth().Verify(id, kWrongCode));
  const BegunSession begun = Must(auth().Verify(id, kRightCode));
  const std::string first = begun.tokens.refresh_token.Reveal();
  const auto child = Must(auth().Refresh(first));
  ASSERT_TRUE(auth().LogOut(child.refresh_token.Reveal()));
  const auto second = Must(auth().ValidateLogIn(IdOfLogIn(phone), kRightCode));
  ASSERT_TRUE(auth().Refresh(second.tokens.refresh_token.Reveal()));
  owner().Run("UPDATE auth.sessions SET rotated_at = rotated_at - interval '1 hour' WHERE id = $1",
              second.tokens.session_id);
  ASSERT_FALSE(auth().Refresh(second.tokens.refresh_token.Reveal()));
  const std::string unknown = NewPhone();
  ASSERT_FALSE(auth().ValidateLogIn(IdOfLogIn(unknown), kWrongCode));

  const auto of_user = RowsOfKey(owner(), ToString(begun.user_id));
  EXPECT_THAT(TypesOf(of_user),
              ElementsAre("user.created", "session.login_failed", "user.verified",
                          "session.logged_in", "session.refreshed", "session.logged_out",
                          "session.logged_in", "session.refreshed", "session.revoked"));
  const auto of_number = RowsOfKey(owner(), SubjectOf(phone));
  EXPECT_THAT(TypesOf(of_number), ElementsAre("otp.send", "otp.send"));
  const auto of_unknown = RowsOfKey(owner(), SubjectOf(unknown));
  EXPECT_THAT(TypesOf(of_unknown), ElementsAre("otp.send", "session.login_failed"));
  for (const auto& rows : {of_user, of_number, of_unknown}) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(WhyMalformed(rows[i]), "");
      EXPECT_EQ(rows[i].seq, static_cast<std::int64_t>(i) + 1);
      EXPECT_THAT(rows[i].headers, HasSubstr("\"traceparent\":\"00-01000000"));
      EXPECT_EQ(rows[i].event_id.bytes[6] >> 4, 7) << "a UUIDv7";
    }
  }
}

TEST_F(LogTest, SendOtpCarriesTheSubjectTheExpiryAndTheChallengeOfTheVerification) {
  const std::string phone = NewPhone();
  ASSERT_TRUE(auth().SignUp({.phone_number = phone}));
  const LogRow row = RowsOfKey(owner(), SubjectOf(phone)).back();
  const auto event = Parsed<v1::SendOtp>(row);
  EXPECT_EQ(event.subject_id(), SubjectOf(phone));
  EXPECT_EQ(event.purpose(), "signup");
  EXPECT_THAT(row.headers, HasSubstr("\"expires_at\":\"" + event.expires_at() + "\""));
  const auto verification = owner().Run(
      "SELECT challenge_id::text, to_char(expires_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
      " FROM auth.verifications WHERE phone = $1",
      phone);
  EXPECT_EQ(event.challenge_id(), verification.Only().Get<std::string>(0));
  EXPECT_EQ(event.expires_at(), verification.Only().Get<std::string>(1));
}

TEST_F(LogTest, AwkwardTextsSurviveRowsBoxesAndProfiles) {
  for (const std::string& text : kAwkwardTexts) {
    const std::string phone = NewPhone();
    const auto started = auth().SignUp({.phone_number = phone,
                                        .first_name = text,
                                        .last_name = text,
                                        .email = "{now}+{reason}@Example.com",
                                        .salutation = text.substr(0, 0) + "{user_id}\"\\",
                                        .device_id = text});
    ASSERT_TRUE(started) << text << WordOf(started) << started.error().field;
    const auto begun = Must(auth().Verify(started->verification_id.Reveal(), kRightCode));
    const Profile profile = Must(auth().GetProfile(begun.tokens.access_token.Reveal()));
    EXPECT_EQ(profile.first_name, text);
    EXPECT_EQ(profile.last_name, text);
    EXPECT_EQ(profile.email, "{now}+{reason}@example.com");
    EXPECT_EQ(profile.salutation, "{user_id}\"\\");

    const auto rows = RowsOfKey(owner(), ToString(begun.user_id));
    for (const LogRow& row : rows) EXPECT_EQ(WhyMalformed(row), "") << text;
    const auto created = Parsed<v1::UserCreated>(rows.at(0));
    const auto personal = OpenPersonal(rows.at(0), created.sealed_personal());
    EXPECT_EQ(personal.first_name(), text);
    EXPECT_EQ(personal.last_name(), text);
    EXPECT_EQ(personal.device_id(), text);
    EXPECT_EQ(personal.phone_number(), phone);
  }
  EXPECT_EQ(owner().One<bool>("SELECT to_regclass('auth.users') IS NOT NULL"), true);
}

TEST_F(LogTest, NulBrokenUtf8AndControlCharactersAreRefusedWithTheField) {
  const std::string phone = NewPhone();
  const auto refused = [&](std::string_view name) {
    const auto answer = auth().SignUp({.phone_number = phone, .first_name = name});
    return WordOf(answer) + " " + (answer ? "" : answer.error().field);
  };
  EXPECT_EQ(refused(std::string_view("a\0b", 3)), "FIELD_INVALID first_name");
  EXPECT_EQ(refused("a\xC3"), "FIELD_INVALID first_name");
  EXPECT_EQ(refused("\xED\xA0\x80"), "FIELD_INVALID first_name");  // a surrogate
  EXPECT_EQ(refused("a\nb"), "FIELD_INVALID first_name");
  EXPECT_EQ(refused(std::string(65, 'x')), "FIELD_INVALID first_name");
  EXPECT_EQ(UsersOf(phone), 0);
}

TEST_F(LogTest, PII1_I9_NoEventHoldsANumberANameACodeOrAToken) {
  const std::string phone = NewPhone();
  const auto id =
      Must(auth().SignUp(
               {.phone_number = phone, .name = "Ada Planted", .email = "planted@example.com"}))
          .verification_id.Reveal();
  const auto begun = Must(auth().Verify(id, kRightCode));
  const auto child = Must(auth().Refresh(begun.tokens.refresh_token.Reveal()));
  std::string log;
  for (const auto& key : {ToString(begun.user_id), SubjectOf(phone)})
    for (const LogRow& row : RowsOfKey(owner(), key)) log += row.payload + row.headers + row.key;
  for (const std::string& secret :
       {phone, phone.substr(1), std::string("Planted"), std::string("planted"),
        std::string(kRightCode), id, child.refresh_token.Reveal(), child.access_token.Reveal()})
    EXPECT_THAT(log, Not(HasSubstr(secret)));
  // Nor does any table hold what could be presented.
  for (const char* table : {"users", "numbers", "verifications", "sessions", "event_log"}) {
    const auto rows = owner().One<std::string>(
        std::string("SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM auth.") + table + " t");
    EXPECT_THAT(rows, Not(HasSubstr(id))) << table;
    EXPECT_THAT(rows, Not(HasSubstr(child.refresh_token.Reveal()))) << table;
    EXPECT_THAT(rows, Not(HasSubstr(child.access_token.Reveal()))) << table;
    EXPECT_THAT(rows, Not(HasSubstr(kRightCode))) << table;
  }
}

TEST_F(LogTest, I7_TheServiceCannotChangeItsOwnLog) {
  ASSERT_TRUE(auth().SignUp({.phone_number = NewPhone()}));
  pg::Connection service(AsService());
  for (const char* change :
       {"UPDATE auth.event_log SET type = 'x'", "DELETE FROM auth.event_log",
        "TRUNCATE auth.event_log", "DELETE FROM auth.users", "DROP TABLE auth.numbers"})
    EXPECT_THROW(service.ExecuteScript(change), pg::Fault) << change;
}

}  // namespace
}  // namespace countersign::auth
