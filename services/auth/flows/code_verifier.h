#pragma once
// Where codes are checked. An interface because the outside varies: the otp service over the
// network, or another process in a test of ours.
#include "libs/core/continuation.h"
#include "libs/core/secret.h"
#include "libs/core/uuid.h"
#include "libs/rpc/call_context.h"
#include "services/auth/domain/verification.h"

namespace countersign::auth {

struct CodeGuess {
  Uuid challenge_id;
  Purpose purpose;
  Secret<std::string> code;
  Hash claim_id;  // names the guess without telling it: a repeat is counted once
};

class CodeVerifier {
 public:
  virtual ~CodeVerifier() = default;
  // Calls `answer` once, on any thread. A wrong code is a verdict; an error means that nothing is
  // known and nothing may be accepted. `call` is used until then.
  virtual void Verify(const rpc::CallContext& call, const CodeGuess& guess,
                      Answer<Verdict> answer) = 0;
};

}  // namespace countersign::auth
