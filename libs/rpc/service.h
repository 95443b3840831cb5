#pragma once
// The server side of one gRPC service, written without grpc headers: a handler takes messages.
//
//   AuthService::AuthService(rpc::Guard& guard, Flows& flows) : service_(guard, kName) {
//     service_.Unary<v1::GetProfileRequest, v1::GetProfileResponse>(
//         "GetProfile", rpc::Access::Bearer(),
//         [&](const rpc::CallContext& call, const v1::GetProfileRequest& request,
//             rpc::Done<v1::GetProfileResponse> done) { … });
//   }
#include <google/protobuf/message.h>

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "libs/core/result.h"
#include "libs/rpc/call_context.h"

namespace countersign::rpc {

class Guard;
class Server;

template <typename T>
concept ProtoMessage = std::derived_from<T, google::protobuf::Message>;

// Who may call a method; each method names it, there is no default.
class Access {
 public:
  // Whoever the listener admits. The method decides by what the request holds.
  static Access Anyone() { return Access(Kind::kAnyone, {}); }
  // Only with a bearer token, which the handler checks.
  static Access Bearer() { return Access(Kind::kBearer, {}); }
  // Only with a client certificate of this name.
  static Access Identity(std::string name) { return Access(Kind::kIdentity, std::move(name)); }

  [[nodiscard]] Result<void> Admit(const CallContext& call) const;

 private:
  enum class Kind { kAnyone, kBearer, kIdentity };
  Access(Kind kind, std::string name) : kind_(kind), name_(std::move(name)) {}
  Kind kind_;
  std::string name_;
};

// Where an answer goes. Thread safe; the first answer counts.
class Reply {
 public:
  virtual ~Reply() = default;
  virtual void Send(const google::protobuf::Message& response) = 0;
  virtual void Refuse(const Error& error) = 0;
};

// Answers a call, from any thread, at any time. Copies answer the same call; if all are dropped
// unanswered the call ends as INTERNAL, so no caller waits for ever.
template <ProtoMessage Response>
class Done {
 public:
  explicit Done(std::shared_ptr<Reply> reply) : reply_(std::move(reply)) {}
  void operator()(const Result<Response>& result) const {
    result ? reply_->Send(*result) : reply_->Refuse(result.error());
  }

 private:
  // Owners: the copies of this Done, wherever the handler put them.
  std::shared_ptr<Reply> reply_;
};

// Runs on a grpc thread and must not block: hand the work to a pool or batcher and return. May
// throw: the caller gets INTERNAL without text, the log the cause. `request` lives as long as
// `done` or a copy of it.
template <ProtoMessage Request, ProtoMessage Response>
using Handler =
    std::function<void(const CallContext& call, const Request& request, Done<Response> done)>;

class Service {
 public:
  // `name` as in the .proto: "countersign.auth.v1.AuthService". Throws std::logic_error for one
  // that is not linked in. The guard must outlive the service.
  Service(Guard& guard, const std::string& name);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Once per method of the .proto, before the Server is made: the Server refuses a service with a
  // method missing. Throws std::logic_error for an unknown method or the wrong message types.
  //
  // What the guard does before the handler: refuses an undecodable request, broken UTF-8, NUL and a
  // known field of the wrong wire type as FIELD_INVALID with the field; the caller who has no
  // access; the call whose time is over. After it: the status with its details, metrics, log line.
  template <ProtoMessage Request, ProtoMessage Response>
  void Unary(std::string_view method, const Access& access, Handler<Request, Response> handler) {
    Add(method, access, Request::default_instance(), Response::default_instance(),
        [handler = std::move(handler)](const CallContext& call,
                                       const google::protobuf::Message& request,
                                       std::shared_ptr<Reply> reply) {
          handler(call, static_cast<const Request&>(request), Done<Response>(std::move(reply)));
        });
  }

 private:
  friend class Server;
  using Erased = std::function<void(const CallContext&, const google::protobuf::Message&,
                                    std::shared_ptr<Reply>)>;
  struct Methods;
  void Add(std::string_view method, const Access& access, const google::protobuf::Message& request,
           const google::protobuf::Message& response, Erased handler);

  std::unique_ptr<Methods> methods_;
};

}  // namespace countersign::rpc
