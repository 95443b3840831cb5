#include "tools/countersignctl/unary_call.h"

#include <google/rpc/code.pb.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <nlohmann/json.hpp>

#include "libs/rpc/client.h"

namespace countersign::ctl {
namespace {

std::string ToText(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!buffer.Dump(&slices).ok()) return text;
  for (const auto& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

Refusal ToRefusal(const grpc::Status& status) {
  Refusal refusal{.code = google::rpc::Code_Name(static_cast<int>(status.error_code())),
                  .reason = {},
                  .message = status.error_message(),
                  .fields = {}};
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return refusal;
  for (const auto& detail : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    google::rpc::BadRequest bad;
    if (detail.UnpackTo(&info)) {
      refusal.reason = info.reason();
    } else if (detail.UnpackTo(&retry)) {
      refusal.retry_after_seconds = static_cast<double>(retry.retry_delay().seconds()) +
                                    static_cast<double>(retry.retry_delay().nanos()) / 1e9;
    } else if (detail.UnpackTo(&bad)) {
      for (const auto& fault : bad.field_violations()) {
        refusal.fields.emplace_back(fault.field(), fault.description());
      }
    }
  }
  return refusal;
}

}  // namespace

std::string ToJson(const Refusal& refusal) {
  nlohmann::json json = {{"code", refusal.code},
                         {"reason", refusal.reason},
                         {"message", refusal.message},
                         {"fields", nlohmann::json::object()}};
  for (const auto& [field, what] : refusal.fields) json["fields"][field] = what;
  if (refusal.retry_after_seconds > 0) json["retry_after_seconds"] = refusal.retry_after_seconds;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

CallOutcome CallUnary(const Target& target, const UnaryCall& call) {
  const auto channel = rpc::MakeChannel({.target = target.address,
                                         .tls_ca = target.tls_ca,
                                         .tls_certificate = target.tls_certificate,
                                         .tls_key = target.tls_key,
                                         .tls_server_name = target.tls_server_name});
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + call.limit);
  if (!call.token.empty()) context.AddMetadata("authorization", "Bearer " + call.token);

  const grpc::Slice slice(call.request);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  grpc::Status status;
  grpc::CompletionQueue done;
  const auto reader = stub.PrepareUnaryCall(&context, call.path, request, &done);
  reader->StartCall();
  reader->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  done.Next(&tag, &ok);
  if (!status.ok()) return {.response = {}, .refusal = ToRefusal(status)};
  return {.response = ToText(response), .refusal = std::nullopt};
}

}  // namespace countersign::ctl
