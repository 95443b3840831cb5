#pragma once
// Health and reflection without their .proto files, which Debian does not ship.
#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace countersign::rpc::wire {

struct Answer {
  grpc::Status status;
  std::string bytes;
};

inline Answer Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                   const std::string& request) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  const grpc::Slice slice(request);
  const grpc::ByteBuffer sent(&slice, 1);
  grpc::ByteBuffer received;
  Answer answer;
  std::mutex mutex;
  std::condition_variable done;
  bool finished = false;
  stub.UnaryCall(&context, method, grpc::StubOptions(), &sent, &received, [&](grpc::Status got) {
    const std::scoped_lock lock(mutex);
    answer.status = std::move(got);
    finished = true;
    done.notify_one();
  });
  std::unique_lock lock(mutex);
  done.wait(lock, [&] { return finished; });
  grpc::Slice joined;
  if (answer.status.ok() && received.DumpToSingleSlice(&joined).ok()) {
    answer.bytes.assign(reinterpret_cast<const char*>(joined.begin()), joined.size());
  }
  return answer;
}

// grpc.health.v1.HealthCheckRequest{service = 1}, HealthCheckResponse{status = 1}.
inline std::string Health(const std::shared_ptr<grpc::Channel>& channel,
                          const std::string& service) {
  std::string request;
  if (!service.empty()) {
    request = "\x0a" + std::string(1, static_cast<char>(service.size())) + service;
  }
  const Answer answer = Call(channel, "/grpc.health.v1.Health/Check", request);
  if (answer.status.error_code() == grpc::StatusCode::NOT_FOUND) return "NOT_FOUND";
  if (answer.bytes == "\x08\x01") return "SERVING";
  if (answer.bytes == "\x08\x02") return "NOT_SERVING";
  return "code " + std::to_string(answer.status.error_code());
}

// The method is a stream: an answer other than UNIMPLEMENTED says that it is there.
inline bool HasReflection(const std::shared_ptr<grpc::Channel>& channel) {
  const Answer answer =
      Call(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "\x3a\x01*");
  return answer.status.error_code() != grpc::StatusCode::UNIMPLEMENTED;
}

}  // namespace countersign::rpc::wire
