#include "libs/rpc/call_metadata.h"

#include <grpcpp/security/auth_context.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <optional>

#include "libs/core/hex.h"
#include "libs/core/utf8.h"

namespace countersign::rpc {
namespace {

constexpr std::size_t kMaxRequestId = 64;
constexpr std::size_t kMaxUserAgent = 256;

std::string_view View(const grpc::string_ref& text) { return {text.data(), text.size()}; }

// Empty if the caller sent none or several: two values leave open which of them was checked.
std::string_view Single(const grpc::CallbackServerContext& context, const char* key) {
  const auto& metadata = context.client_metadata();
  const auto [begin, end] = metadata.equal_range(key);
  if (begin == end || std::next(begin) != end) return {};
  return View(begin->second);
}

// Caller's ids go into our logs: letters, digits and a few marks only.
bool IsRequestId(std::string_view text) {
  return !text.empty() && text.size() <= kMaxRequestId && std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
  });
}

std::string NewRequestId(Random& random) {
  std::array<std::uint8_t, 12> bytes{};
  random.Fill(bytes);
  return ToHex(bytes);
}

// RFC 6750 section 2.1; the scheme's case does not matter (RFC 9110 section 11.1).
std::string_view BearerToken(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size()) return {};
  const bool matches = std::ranges::equal(
      authorization.substr(0, kScheme.size()), kScheme,
      [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
  return matches ? authorization.substr(kScheme.size()) : std::string_view();
}

// "ipv4:127.0.0.1:50000", "ipv6:%5B::1%5D:50000", "unix:/path".
std::string PeerIp(std::string_view peer) {
  const bool v4 = peer.starts_with("ipv4:");
  if (!v4 && !peer.starts_with("ipv6:")) return std::string(peer.substr(0, peer.find(':')));
  std::string ip(peer.substr(5, peer.rfind(':') - 5));
  for (const std::string_view bracket : {"%5B", "%5D", "[", "]"}) {
    if (const auto at = ip.find(bracket); at != std::string::npos) ip.erase(at, bracket.size());
  }
  return ip;
}

Deadline DeadlineOf(const grpc::CallbackServerContext& context, std::chrono::milliseconds cap) {
  const auto steady_now = std::chrono::steady_clock::now();
  const auto left = context.deadline() - std::chrono::system_clock::now();
  return steady_now + std::min<std::chrono::nanoseconds>(left, cap);
}

std::string IdentityOf(const grpc::CallbackServerContext& context) {
  const auto auth = context.auth_context();
  if (!auth || !auth->IsPeerAuthenticated()) return {};
  for (const char* property : {"peer_dns", "x509_common_name"}) {
    const auto values = auth->FindPropertyValues(property);
    if (!values.empty()) return std::string(View(values.front()));
  }
  return {};
}

}  // namespace

void ReadMetadata(const grpc::CallbackServerContext& context, Guard& guard, bool identities,
                  CallContext& call) {
  call.deadline = DeadlineOf(context, guard.settings().deadline);
  const std::string_view request_id = Single(context, "x-request-id");
  call.request_id =
      IsRequestId(request_id) ? std::string(request_id) : NewRequestId(guard.random());
  const auto parent = ParseTraceparent(Single(context, "traceparent"));
  call.trace = parent ? ChildOf(*parent, guard.random()) : NewTrace(guard.random());
  call.peer_ip = PeerIp(context.peer());
  const std::string_view agent = Single(context, "user-agent").substr(0, kMaxUserAgent);
  call.user_agent = agent.substr(0, Utf8Prefix(agent));
  call.bearer = Secret(std::string(BearerToken(Single(context, "authorization"))));
  if (identities) call.identity = IdentityOf(context);
}

}  // namespace countersign::rpc
