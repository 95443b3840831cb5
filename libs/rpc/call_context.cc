#include "libs/rpc/call_context.h"

#include "libs/rpc/service.h"

namespace countersign::rpc {

Result<void> RequireIdentity(const CallContext& call, std::string_view name) {
  if (call.identity.empty()) return Fail(reasons::kCredentialsMissing);
  if (call.identity != name) {
    return Fail(reasons::kCallerNotAllowed, {.detail = "certificate of " + call.identity});
  }
  return {};
}

Result<void> RequireBearer(const CallContext& call) {
  if (call.bearer.Empty()) return Fail(reasons::kCredentialsMissing);
  return {};
}

Result<void> Access::Admit(const CallContext& call) const {
  switch (kind_) {
    case Kind::kAnyone:
      return {};
    case Kind::kBearer:
      return RequireBearer(call);
    case Kind::kIdentity:
      return RequireIdentity(call, name_);
  }
  return Fail(reasons::kCallerNotAllowed);
}

}  // namespace countersign::rpc
