#pragma once
// SendOtp events as auth writes them, made for tests.
#include <google/protobuf/util/json_util.h>

#include <string>

#include "countersign/events/v1/events.pb.h"
#include "libs/core/clock.h"
#include "libs/core/random.h"
#include "libs/core/uuid.h"
#include "libs/crypto/sealed_box.h"
#include "libs/keystore/key_ring.h"

namespace countersign::otp {

struct SealedEvent {
  Uuid event_id;
  Uuid challenge_id;
  Uuid subject_id;
  std::string phone = "+4915112345678";
  bool deliver = true;
  std::string purpose = "signup";
  std::string channel = "sms";
  int send_number = 1;
  Instant expires_at;
};

[[nodiscard]] inline std::string ToValue(const SealedEvent& event, keystore::SealingRing& keys,
                                         Random& random) {
  namespace pb = google::protobuf;
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  events::v1::SealedRecipient recipient;
  recipient.set_phone_number(event.phone);
  recipient.set_deliver(event.deliver);
  std::string inside;
  static_cast<void>(pb::util::MessageToJsonString(recipient, &inside, options));
  inside.resize(64, ' ');
  const auto key = keys.Current();
  events::v1::SendOtp message;
  message.set_schema_version(1);
  message.set_challenge_id(ToString(event.challenge_id));
  message.set_subject_id(ToString(event.subject_id));
  message.set_purpose(event.purpose);
  message.set_channel(event.channel);
  message.set_locale("de-DE");
  message.set_sealed_recipient(crypto::SealToText(key->material, key->id, random, inside,
                                                  "otp.send/" + ToString(event.event_id)));
  message.set_send_number(event.send_number);
  message.set_expires_at(ToRfc3339(event.expires_at));
  std::string value;
  static_cast<void>(pb::util::MessageToJsonString(message, &value, options));
  return value;
}

}  // namespace countersign::otp
