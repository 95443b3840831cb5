#pragma once
// What the flows that ask for a code share: ids drawn beforehand, the recipient sealed, one command
// for the batch, and the send limit's decision told to the caller.
#include <optional>
#include <string>
#include <vector>

#include "libs/core/continuation.h"
#include "libs/core/random.h"
#include "libs/core/uuid.h"
#include "libs/keystore/key_ring.h"
#include "libs/pg/batcher.h"
#include "libs/rpc/call_context.h"
#include "services/auth/domain/channel.h"
#include "services/auth/domain/verification.h"
#include "services/auth/store/send_codes.h"

namespace countersign::auth {

using SendBatcher = pg::Batcher<store::SendCode, SendDecision>;

// The statement and look-up of a SendBatcher.
[[nodiscard]] SendBatcher::Work SendWork(const store::SendTerms& terms);

// A code for a verification that begins.
struct NewVerification {
  std::string phone;  // E.164
  Purpose purpose;
  Channel channel;
  std::string locale;
  std::optional<store::Newcomer> newcomer;
};

// A further code for one that is open.
struct OpenVerification {
  Secret<std::string> verification_id;
  std::string phone;
  Hash phone_hash;
  Uuid challenge_id;
  Purpose purpose;
  Channel channel;
  std::string locale;
};

// Thread safe. Everything passed in must outlive it and the calls in flight.
class CodeSender {
 public:
  CodeSender(SendBatcher& batcher, keystore::MacRing& phone_keys,
             keystore::SealingRing& recipient_keys, UuidV7& ids, Random& random)
      : batcher_(batcher),
        phone_keys_(phone_keys),
        recipient_keys_(recipient_keys),
        ids_(ids),
        random_(random) {}

  // Answers with RESEND_TOO_SOON or SEND_LIMIT_REACHED and the wait, or as the batcher may. `call`
  // is used until `answer` is called.
  void Start(const rpc::CallContext& call, NewVerification start,
             Answer<StartedVerification> answer);
  // Also CODE_REJECTED, if the verification is no longer open.
  void Resend(const rpc::CallContext& call, OpenVerification open,
              Answer<StartedVerification> answer);

 private:
  void Submit(const rpc::CallContext& call, store::SendCode command,
              Secret<std::string> verification_id, Answer<StartedVerification> answer);
  [[nodiscard]] std::string Payload(const store::SendCode& command, bool deliver);

  SendBatcher& batcher_;
  keystore::MacRing& phone_keys_;
  keystore::SealingRing& recipient_keys_;
  UuidV7& ids_;
  Random& random_;
};

// SHA-256 of a verification id: what the database knows it by.
[[nodiscard]] Hash HashOfId(const Secret<std::string>& verification_id);

}  // namespace countersign::auth
