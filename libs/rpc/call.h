#pragma once
// One unary call from its bytes to its answer. Seen by libs/rpc only.
#include <google/protobuf/message.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "libs/rpc/call_context.h"
#include "libs/rpc/guard.h"
#include "libs/rpc/method_metrics.h"
#include "libs/rpc/service.h"

namespace countersign::rpc {

struct Method {
  using Handler = std::function<void(const CallContext&, const google::protobuf::Message&,
                                     std::shared_ptr<Reply>)>;
  Method(Guard& service_guard, const std::string& service, std::string method_name, Access who,
         const google::protobuf::Message& request_prototype, Handler method_handler)
      : guard(service_guard),
        path("/" + service + "/" + method_name),
        name(std::move(method_name)),
        access(std::move(who)),
        request(request_prototype),
        handler(std::move(method_handler)),
        metrics(guard.metrics(), name) {}

  Guard& guard;
  std::string path;  // "/countersign.auth.v1.AuthService/GetProfile"
  std::string name;  // "GetProfile"
  Access access;
  const google::protobuf::Message& request;  // a prototype
  Handler handler;
  MethodMetrics metrics;
  bool identities = false;  // the listener asks for client certificates
};

class Call final : public grpc::ServerUnaryReactor {
 public:
  static grpc::ServerUnaryReactor* Start(Method& method, grpc::CallbackServerContext& context,
                                         const grpc::ByteBuffer& request,
                                         grpc::ByteBuffer& response);

  Call(Method& method, grpc::ByteBuffer& response);

  void Send(const google::protobuf::Message& response);
  void Refuse(const Error& error);

  void OnCancel() override;
  void OnDone() override;
  // Lets grpc run the two above where it learns of them, not on a thread of its executor. Its
  // header reserves this for reactors whose reactions are trivial: these neither block nor hold a
  // lock.
  bool InternalInlineable() override { return true; }

 private:
  void Run(const grpc::CallbackServerContext& context, const grpc::ByteBuffer& request,
           const std::shared_ptr<Reply>& reply);
  [[nodiscard]] Result<void> Decode(const grpc::ByteBuffer& bytes);
  // True for the one answer that counts.
  bool Claim() { return !answered_.exchange(true); }
  void End(const Reason* reason, const std::string& detail);
  void Log() const;

  Method& method_;
  grpc::ByteBuffer& response_;  // the transport's, until OnDone
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  CallContext context_;
  std::unique_ptr<google::protobuf::Message> request_;
  std::atomic<bool> answered_{false};

  // Written by the one that answers, read in OnDone.
  const Reason* reason_ = nullptr;
  std::string detail_;
  std::chrono::steady_clock::duration took_{};

  // Owners: the transport by this reference until OnDone, and every Done of the handler.
  std::shared_ptr<Call> transport_;
};

}  // namespace countersign::rpc
