#include "services/otp/consumer/send_otp.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <utility>

#include "countersign/events/v1/events.pb.h"
#include "libs/core/traceparent.h"
#include "libs/core/utf8.h"
#include "libs/crypto/sealed_box.h"
#include "services/otp/events.h"

namespace countersign::otp {
namespace {

namespace pb = google::protobuf;
namespace v1 = countersign::events::v1;

constexpr std::size_t kMaxLocaleBytes = 35;  // RFC 5646 section 4.4.1

template <typename Message>
bool FromJson(std::string_view json, Message& message) {
  pb::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  return pb::util::JsonStringToMessage({json.data(), json.size()}, &message, options).ok();
}

std::optional<Instant> ParseRfc3339(const std::string& text) {
  pb::Timestamp timestamp;
  if (!pb::util::TimeUtil::FromString(text, &timestamp)) return std::nullopt;
  return Instant{std::chrono::microseconds{pb::util::TimeUtil::TimestampToMicroseconds(timestamp)}};
}

// E.164: a plus sign and up to 15 digits.
bool IsPhoneNumber(std::string_view text) {
  return text.size() >= 8 && text.size() <= 16 && text[0] == '+' && text[1] != '0' &&
         std::ranges::all_of(text.substr(1), [](char c) { return c >= '0' && c <= '9'; });
}

// A BCP 47 tag by its alphabet; what is none is as good as absent.
std::string LocaleOf(const std::string& text) {
  const auto fits = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  };
  return text.size() <= kMaxLocaleBytes && std::ranges::all_of(text, fits) ? text : std::string();
}

tl::expected<Recipient, std::string> Unseal(const std::string& sealed, const Uuid& event_id,
                                            keystore::SealingRing& keys) {
  const auto box = crypto::ParseSealedBox(sealed);
  if (!box) return tl::unexpected<std::string>("sealed_recipient is no sealed box");
  const auto key = keys.Find(box->key_id);
  if (!key) return tl::unexpected<std::string>("no recipient key " + box->key_id);
  const auto opened = crypto::OpenSealedBox(key->material, *box, RecipientContext(event_id));
  if (!opened) return tl::unexpected<std::string>("sealed_recipient does not open");
  v1::SealedRecipient recipient;
  if (!FromJson(*opened, recipient) || !IsPhoneNumber(recipient.phone_number())) {
    return tl::unexpected<std::string>("sealed_recipient holds no phone number");
  }
  return Recipient{.phone_number = Secret<std::string>(recipient.phone_number()),
                   .deliver = recipient.deliver()};
}

}  // namespace

tl::expected<ReadSendOtp, std::string> Read(const SendOtpRecord& record,
                                            keystore::SealingRing& recipient_keys, Random& random) {
  const auto refuse = [](const char* why) { return tl::unexpected<std::string>(why); };
  if (record.type != events::kSendOtp) return refuse("ce_type is not otp.send");
  const auto event_id = ParseUuid(record.event_id);
  if (!event_id) return refuse("ce_id is no UUID");
  v1::SendOtp event;
  if (!IsUtf8(record.value) || !FromJson(record.value, event))
    return refuse("the value is no SendOtp");
  const auto challenge_id = ParseUuid(event.challenge_id());
  if (!challenge_id) return refuse("challenge_id is no UUID");
  const auto subject_id = ParseUuid(event.subject_id());
  if (!subject_id) return refuse("subject_id is no UUID");
  const auto purpose = ParsePurpose(event.purpose());
  if (!purpose) return refuse("unknown purpose");
  const auto channel = ParseChannel(event.channel());
  if (!channel) return refuse("unknown channel");
  if (event.send_number() < 1) return refuse("send_number is not positive");
  const auto expires_at = ParseRfc3339(event.expires_at());
  if (!expires_at) return refuse("expires_at is no time");

  const auto parent = ParseTraceparent(record.traceparent);
  ReadSendOtp read{.intent = {.event_id = *event_id,
                              .challenge_id = {*challenge_id},
                              .subject_id = {*subject_id},
                              .purpose = *purpose,
                              .channel = *channel,
                              .locale = LocaleOf(event.locale()),
                              .send_number = event.send_number(),
                              .expires_at = *expires_at,
                              .recipient = std::nullopt,
                              .trace = parent ? ChildOf(*parent, random) : NewTrace(random),
                              .given_away = nullptr},
                   .why_sealed = {}};
  if (auto recipient = Unseal(event.sealed_recipient(), *event_id, recipient_keys)) {
    read.intent.recipient = std::move(*recipient);
  } else {
    read.why_sealed = std::move(recipient.error());
  }
  return read;
}

}  // namespace countersign::otp
