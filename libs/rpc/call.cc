#include "libs/rpc/call.h"

#include <grpcpp/support/slice.h>

#include <array>
#include <exception>
#include <utility>

#include "libs/rpc/call_metadata.h"
#include "libs/rpc/check_text.h"
#include "libs/rpc/code_name.h"
#include "libs/rpc/status.h"

namespace countersign::rpc {
namespace {

// What the copies of a Done share. The last one gone unanswered answers.
class Ticket final : public Reply {
 public:
  explicit Ticket(std::shared_ptr<Call> call) : call_(std::move(call)) {}
  ~Ticket() override {
    call_->Refuse(Error{&reasons::kInternal, {}, "the handler dropped the call", {}});
  }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  void Send(const google::protobuf::Message& response) override { call_->Send(response); }
  void Refuse(const Error& error) override { call_->Refuse(error); }

 private:
  std::shared_ptr<Call> call_;  // keeps request and context alive
};

std::string_view AsView(const grpc::Slice& slice) {
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

log::Level LevelOf(const Reason* reason) {
  if (reason == nullptr) return log::Level::kInfo;
  if (reason->kind == ErrorKind::kInternal) return log::Level::kError;
  return reason->kind == ErrorKind::kUnavailable ? log::Level::kWarn : log::Level::kInfo;
}

}  // namespace

Call::Call(Method& method, grpc::ByteBuffer& response) : method_(method), response_(response) {}

grpc::ServerUnaryReactor* Call::Start(Method& method, grpc::CallbackServerContext& context,
                                      const grpc::ByteBuffer& request, grpc::ByteBuffer& response) {
  auto call = std::make_shared<Call>(method, response);
  call->transport_ = call;
  method.metrics.Began();
  // Held here, so that a handler that throws has not "dropped the call" before the cause is known.
  const auto ticket = std::make_shared<Ticket>(call);
  try {
    call->Run(context, request, ticket);
  } catch (const std::exception& fault) {
    call->Refuse(Error{&reasons::kInternal, {}, fault.what(), {}});
  } catch (...) {
    call->Refuse(Error{&reasons::kInternal, {}, "unknown exception", {}});
  }
  return call.get();
}

void Call::Run(const grpc::CallbackServerContext& context, const grpc::ByteBuffer& request,
               const std::shared_ptr<Reply>& reply) {
  ReadMetadata(context, method_.guard, method_.identities, context_);
  if (context_.Over()) return Refuse(Error{&reasons::kDeadlineExceeded, {}, "late on arrival", {}});
  if (const auto admitted = method_.access.Admit(context_); !admitted) {
    return Refuse(admitted.error());
  }
  if (const auto decoded = Decode(request); !decoded) return Refuse(decoded.error());
  method_.handler(context_, *request_, reply);
}

Result<void> Call::Decode(const grpc::ByteBuffer& bytes) {
  grpc::Slice slice;
  if (!bytes.TrySingleSlice(&slice).ok() && !bytes.DumpToSingleSlice(&slice).ok()) {
    return Fail(reasons::kInternal, {.detail = "request bytes are not readable"});
  }
  request_.reset(method_.request.New());
  if (!request_->ParseFromArray(slice.begin(), static_cast<int>(slice.size()))) {
    return Fail(WhyUndecodable(method_.request, AsView(slice)));
  }
  return CheckText(*request_);
}

void Call::Send(const google::protobuf::Message& response) {
  if (!Claim()) return;
  const std::size_t size = response.ByteSizeLong();
  grpc::Slice slice(size);
  response.SerializeWithCachedSizesToArray(const_cast<std::uint8_t*>(slice.begin()));
  response_ = grpc::ByteBuffer(&slice, 1);
  End(nullptr, {});
  Finish(grpc::Status::OK);
}

void Call::Refuse(const Error& error) {
  if (!Claim()) return;
  End(error.reason, error.detail);
  Finish(ToStatus(error, context_.request_id));
}

// The caller has gone or its time is over. Answering at once frees the call even if its handler
// never does; what the handler says later is dropped.
void Call::OnCancel() {
  context_.cancelled.store(true, std::memory_order_relaxed);
  Refuse(Error{&reasons::kDeadlineExceeded, {}, "cancelled by the caller or its deadline", {}});
}

void Call::End(const Reason* reason, const std::string& detail) {
  reason_ = reason;
  detail_ = detail;
  took_ = std::chrono::steady_clock::now() - began_;
}

void Call::OnDone() {
  method_.metrics.Ended(reason_, took_);
  if (method_.guard.settings().log_requests || LevelOf(reason_) > log::Level::kInfo) Log();
  // This may be the last reference: the call ends with this line.
  const std::shared_ptr<Call> last = std::move(transport_);
}

void Call::Log() const {
  const std::string trace = TraceIdText(context_.trace);
  const std::array<log::Field, 9> fields = {
      log::Field("rpc", method_.name),
      log::Field("code", reason_ == nullptr ? "OK" : CodeName(reason_->kind)),
      log::Field("ms", std::chrono::duration<double, std::milli>(took_).count()),
      log::Field("request_id", context_.request_id),
      log::Field("trace_id", trace),
      log::Field("peer", context_.peer_ip),
      log::Field("identity", context_.identity),
      log::Field("reason", reason_ == nullptr ? std::string_view() : reason_->word),
      log::Field("detail", detail_)};
  // The last two are for refusals only.
  const std::size_t count = reason_ == nullptr ? fields.size() - 2 : fields.size();
  method_.guard.logger().Write(LevelOf(reason_), "request", fields.data(), fields.data() + count);
}

}  // namespace countersign::rpc
