#pragma once
#include <google/protobuf/descriptor.h>
#include <grpcpp/impl/service_type.h>

#include <deque>
#include <string>

#include "libs/rpc/call.h"
#include "libs/rpc/service.h"

namespace countersign::rpc {

// What grpc sees of a Service.
struct Service::Methods final : public grpc::Service {
  Methods(Guard& service_guard, const google::protobuf::ServiceDescriptor& service)
      : guard(service_guard), descriptor(service) {}

  void Register(Method& method);
  [[nodiscard]] bool Has(const std::string& name) const;

  Guard& guard;
  const google::protobuf::ServiceDescriptor& descriptor;
  std::deque<Method> methods;  // addresses stay
};

}  // namespace countersign::rpc
