#include "tests/services/otp/flows/fixture.h"

#include <google/protobuf/util/json_util.h>

#include "countersign/events/v1/events.pb.h"

namespace countersign::otp {
namespace {

namespace pb = google::protobuf;
namespace v1 = countersign::events::v1;

template <typename Message>
std::string AsProtobufPrints(const std::string& json) {
  Message message;
  if (!pb::util::JsonStringToMessage(json, &message).ok()) return "not " + message.GetTypeName();
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string printed;
  static_cast<void>(pb::util::MessageToJsonString(message, &printed, options));
  return printed;
}

}  // namespace

std::string WordOf(const Result<Judgement>& result) {
  return std::string(result ? ToString(result->verdict) : result.error().reason->word);
}

std::map<std::string, int> WordsOf(const std::vector<Result<Judgement>>& results) {
  std::map<std::string, int> words;
  for (const auto& result : results) ++words[WordOf(result)];
  return words;
}

bool Eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

void OtpTest::SetUp() {
  PgTest::SetUp();
  if (IsSkipped() || HasFatalFailure()) return;
  keys_ = std::make_unique<Keys>();
  owner_ = std::make_unique<support::Owner>(Settings());
  otp_ = NewInstallation();
}

pg::ConnectionSettings OtpTest::AsService() {
  pg::ConnectionSettings settings = Settings("countersign_otp");
  settings.lock_timeout = std::chrono::seconds(10);
  settings.statement_timeout = std::chrono::seconds(15);
  return settings;
}

std::unique_ptr<Installation> OtpTest::NewInstallation(const InstallationOptions& options) {
  return std::make_unique<Installation>(AsService(), *keys_, provider_, options);
}

SendIntent OtpTest::Sent(Purpose purpose) {
  const SendIntent intent = NewIntent(keys(), purpose);
  EXPECT_EQ(otp().Deliver(intent), DeliverCodeFlow::Taken::kFinished);
  EXPECT_EQ(StateOf(intent), "sent");
  return intent;
}

std::string OtpTest::WrongCode(const SendIntent& intent, int n) {
  const int right = std::stoi(CodeOf(intent).empty() ? "0" : CodeOf(intent));
  std::string digits = std::to_string((right + 1 + n) % 1'000'000);
  return std::string(6 - digits.size(), '0') + digits;
}

std::string OtpTest::StateOf(const SendIntent& intent) {
  const pg::Rows rows =
      owner().Run("SELECT state FROM otp.deliveries WHERE event_id = $1", intent.event_id);
  return rows.empty() ? "none" : rows.Only().Get<std::string>("state");
}

int OtpTest::AttemptsOf(const SendIntent& intent) {
  return owner().One<int>("SELECT attempts FROM otp.challenges WHERE id = $1", intent.challenge_id);
}

std::vector<std::string> OtpTest::EventsOf(const SendIntent& intent) {
  std::vector<std::string> types;
  const pg::Rows rows = owner().Run(
      "SELECT topic, type, seq, payload::text AS payload FROM otp.event_log WHERE key = $1"
      " ORDER BY id",
      ToString(intent.subject_id));
  for (const pg::Row row : rows) {
    types.push_back(row.Get<std::string>("type"));
    EXPECT_EQ(row.Get<std::string>("topic"), "otp.log");
    EXPECT_EQ(row.Get<std::size_t>("seq"), types.size()) << "a gap before " << types.back();
    const auto payload = row.Get<std::string>("payload");
    const bool checked = types.back() == "otp.approved" || types.back() == "otp.attempts_exceeded";
    EXPECT_EQ(payload, checked ? AsProtobufPrints<v1::OtpChecked>(payload)
                               : AsProtobufPrints<v1::OtpDelivery>(payload));
  }
  return types;
}

std::string OtpTest::PayloadOf(const SendIntent& intent, std::string_view type) {
  return owner().One<std::string>(
      "SELECT payload::text FROM otp.event_log WHERE key = $1 AND type = $2 ORDER BY id DESC"
      " LIMIT 1",
      ToString(intent.subject_id), type);
}

}  // namespace countersign::otp
