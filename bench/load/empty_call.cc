// Health/Check without a generated stub: the health proto is not among Debian's packages, and the
// request is empty bytes.
#include <grpcpp/generic/generic_stub.h>

#include "bench/load/scenario.h"

namespace countersign::bench {
namespace {

struct Call {
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
};

class Empty final : public Scenario {
 public:
  explicit Empty(const Target& target) {
    stubs_.reserve(static_cast<std::size_t>(target.channels));
    for (const auto& channel : Connect(target)) {
      stubs_.push_back(std::make_unique<grpc::GenericStub>(channel));
    }
  }

  void Issue(std::uint64_t sequence, Done done) override {
    auto call = std::make_shared<Call>();
    call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    const grpc::Slice nothing("", 0);
    call->request = grpc::ByteBuffer(&nothing, 1);
    stubs_[sequence % stubs_.size()]->UnaryCall(
        &call->context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &call->request,
        &call->response,
        [call, done = std::move(done)](const grpc::Status& status) { done(OutcomeOf(status)); });
  }

 private:
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
};

}  // namespace

std::unique_ptr<Scenario> MakeEmpty(const Target& target) {
  return std::make_unique<Empty>(target);
}

}  // namespace countersign::bench
