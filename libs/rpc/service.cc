#include "libs/rpc/service.h"

#include <grpcpp/impl/codegen/server_callback_handlers.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "libs/rpc/service_methods.h"

namespace countersign::rpc {
namespace {

const google::protobuf::ServiceDescriptor& Find(const std::string& name) {
  const auto* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
  if (descriptor == nullptr) throw std::logic_error("no service " + name + " is linked in");
  return *descriptor;
}

}  // namespace

// Raw bytes, because grpc answers a request that it cannot decode as UNIMPLEMENTED, without a word
// about the field (grpc 1.51, server_callback_handlers.h).
void Service::Methods::Register(Method& method) {
  const int index = static_cast<int>(methods.size()) - 1;
  AddMethod(new grpc::internal::RpcServiceMethod(method.path.c_str(),
                                                 grpc::internal::RpcMethod::NORMAL_RPC, nullptr));
  MarkMethodRawCallback(
      index, new grpc::internal::CallbackUnaryHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
                 [&method](grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                           grpc::ByteBuffer* response) {
                   return Call::Start(method, *context, *request, *response);
                 }));
}

bool Service::Methods::Has(const std::string& name) const {
  return std::ranges::any_of(methods, [&](const Method& one) { return one.name == name; });
}

Service::Service(Guard& guard, const std::string& name)
    : methods_(std::make_unique<Methods>(guard, Find(name))) {}

Service::~Service() = default;

void Service::Add(std::string_view method, const Access& access,
                  const google::protobuf::Message& request,
                  const google::protobuf::Message& response, Erased handler) {
  const std::string name(method);
  const auto& service = methods_->descriptor;
  const auto* descriptor = service.FindMethodByName(name);
  if (descriptor == nullptr || descriptor->input_type() != request.GetDescriptor() ||
      descriptor->output_type() != response.GetDescriptor() || descriptor->client_streaming() ||
      descriptor->server_streaming() || methods_->Has(name)) {
    throw std::logic_error(service.full_name() + " has no unary " + name +
                           " with these messages, or it is registered already");
  }
  Method& added = methods_->methods.emplace_back(methods_->guard, service.full_name(), name, access,
                                                 request, std::move(handler));
  methods_->Register(added);
}

}  // namespace countersign::rpc
