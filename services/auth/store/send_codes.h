#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libs/core/hex.h"
#include "libs/core/uuid.h"
#include "libs/pg/connection.h"
#include "services/auth/domain/channel.h"
#include "services/auth/domain/event_kind.h"
#include "services/auth/domain/fields.h"
#include "services/auth/domain/ids.h"
#include "services/auth/domain/send_limit.h"
#include "services/auth/domain/verification.h"

namespace countersign::auth::store {

// The account a sign-up makes if its number has none.
struct Newcomer {
  UserId user_id;
  Uuid event_id;  // of user.created
  PersonName name;
  std::string email;
  std::string country;
  std::string salutation;
  Bytes person_key;  // wrapped
  std::string person_key_kek;
  std::string payload;  // with marks
  std::string headers;
};

// One code asked for. All ids are drawn beforehand.
struct SendCode {
  Hash phone_hash;
  std::string phone;  // E.164
  Purpose purpose;
  bool is_resend = false;  // then id_hash names the verification, else it becomes one
  Uuid subject_id;         // for a number seen for the first time
  Uuid event_id;           // of otp.send
  Hash id_hash;
  Uuid challenge_id;
  Channel channel;
  std::string locale;
  std::string payload{};        // of otp.send, with marks
  std::string decoy_payload{};  // the same for a log-in of a number without an account
  std::string headers{};
  std::optional<Newcomer> newcomer{};  // sign-ups only
};

struct SendTerms {
  SendLimit limit;
  std::chrono::seconds code_life;
  EventKind user_created;
  EventKind send_otp;
};

// Decides and does all of a batch in one statement; answers in its order. No two commands may have
// the same phone_hash.
[[nodiscard]] std::vector<SendDecision> SendCodes(pg::Connection& connection,
                                                  std::span<const SendCode> batch,
                                                  const SendTerms& terms);

// After a connection was lost in the middle of SendCodes: the decision, if the send was granted and
// committed. Empty otherwise, which says nothing.
[[nodiscard]] std::optional<SendDecision> FindSent(pg::Connection& connection,
                                                   const SendCode& command, const SendTerms& terms);

}  // namespace countersign::auth::store
