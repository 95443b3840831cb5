// countersign-fuzz: sends field-aware mutated requests of every method of AuthService and counts
// what came back. Exit code 1 on any INTERNAL or UNKNOWN answer, a lost server or a command
// that it gave up (UNAVAILABLE), or too few requests that reached a flow.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <vector>

#include "countersign/auth/v1/auth.pb.h"
#include "tests/fuzz/mutate.h"

namespace countersign::fuzz {
namespace {

using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

struct Options {
  std::string target;
  std::string tokens;
  std::uint64_t seed = 1;
  int requests = 100'000;
  int in_flight = 32;
  double reach = 0.3;
};

// Values that a well-behaved client would send; mutation starts from them.
struct Material {
  std::vector<std::string> access_tokens;
  std::vector<std::string> refresh_tokens;
  std::vector<std::string> verification_ids{"AAAAAAAAAAAAAAAAAAAAAA"};
};

class Fuzzer {
 public:
  explicit Fuzzer(const Options& options)
      : options_(options),
        mutator_(options.seed),
        channel_(grpc::CreateChannel(options.target, grpc::InsecureChannelCredentials())),
        stub_(channel_) {
    ReadTokens();
  }

  void Run() {
    const auto* service = auth::v1::SignupWithPhoneNumberRequest::descriptor()->file()->service(0);
    for (int i = 0; i < options_.requests; ++i) {
      {
        std::unique_lock lock(mutex_);
        room_.wait(lock, [this] { return in_flight_ < options_.in_flight; });
        ++in_flight_;
      }
      Send(*service->method(mutator_.Below(service->method_count())));
    }
    std::unique_lock lock(mutex_);
    room_.wait_for(lock, std::chrono::seconds(60), [this] { return in_flight_ == 0; });
  }

  [[nodiscard]] int Report() const {
    const double reached = static_cast<double>(reached_) / options_.requests;
    const nlohmann::json out = {{"seed", options_.seed},     {"requests", options_.requests},
                                {"reached_a_flow", reached}, {"in_a_flow", reached_},
                                {"answers", answers_},       {"unanswered", in_flight_},
                                {"faults", faults_}};
    std::cout << out.dump(2) << '\n';
    return faults_.empty() && in_flight_ == 0 && reached >= options_.reach ? 0 : 1;
  }

 private:
  struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer request;
    grpc::ByteBuffer response;
    std::string method;
  };

  void ReadTokens() {
    std::ifstream file(options_.tokens);
    for (std::string line; std::getline(file, line);) {
      (line.starts_with("eyJ") ? material_.access_tokens : material_.refresh_tokens)
          .push_back(line);
    }
    if (material_.access_tokens.empty()) material_.access_tokens.emplace_back("none");
    if (material_.refresh_tokens.empty()) material_.refresh_tokens.emplace_back("none");
  }

  const std::string& OneOf(const std::vector<std::string>& values) {
    return values[static_cast<std::size_t>(mutator_.Below(static_cast<int>(values.size())))];
  }

  void FillWell(Message& request) {
    const auto* descriptor = request.GetDescriptor();
    const auto* reflection = request.GetReflection();
    for (int i = 0; i < descriptor->field_count(); ++i) {
      const auto* field = descriptor->field(i);
      const std::string& name = field->name();
      if (name == "phone_number") {
        reflection->SetString(&request, field,
                              "+49151" + std::to_string(10'000'000 + mutator_.Below(80'000'000)));
      } else if (name == "verification_id") {
        const std::lock_guard lock(mutex_);
        reflection->SetString(&request, field, OneOf(material_.verification_ids));
      } else if (name == "code") {
        reflection->SetString(&request, field, std::to_string(100'000 + mutator_.Below(900'000)));
      } else if (name == "token") {
        reflection->SetString(&request, field, OneOf(material_.access_tokens));
      } else if (name == "refresh_token" && mutator_.OneIn(2)) {
        reflection->SetString(&request, field, OneOf(material_.refresh_tokens));
      }
    }
  }

  void Send(const MethodDescriptor& method) {
    const std::unique_ptr<Message> request(google::protobuf::MessageFactory::generated_factory()
                                               ->GetPrototype(method.input_type())
                                               ->New());
    FillWell(*request);
    if (!mutator_.OneIn(3)) mutator_.Mutate(*request);
    std::string wire = request->SerializeAsString();
    if (mutator_.OneIn(20)) mutator_.MutateWire(wire);

    auto call = std::make_shared<Call>();
    call->method = method.name();
    call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    if (mutator_.OneIn(2)) {
      call->context.AddMetadata("authorization", "Bearer " + OneOf(material_.access_tokens));
    }
    const grpc::Slice slice(wire);
    call->request = grpc::ByteBuffer(&slice, 1);
    stub_.UnaryCall(&call->context, "/" + method.service()->full_name() + "/" + method.name(),
                    grpc::StubOptions(), &call->request, &call->response,
                    [this, call](const grpc::Status& status) { Finish(*call, status); });
  }

  void Finish(Call& call, const grpc::Status& status) {
    const std::lock_guard lock(mutex_);
    const auto code = status.error_code();
    ++answers_[call.method + " " + std::to_string(static_cast<int>(code))];
    if (ReachedAFlow(call.method, status)) ++reached_;
    if (code == grpc::StatusCode::INTERNAL || code == grpc::StatusCode::UNKNOWN ||
        code == grpc::StatusCode::UNAVAILABLE) {
      if (faults_.size() < 20) faults_.push_back(call.method + ": " + status.error_message());
    }
    if (status.ok() && material_.verification_ids.size() < 10'000) Harvest(call);
    --in_flight_;
    room_.notify_one();
  }

  // Neither what the edge turned away (a bad field, no bearer token where one is needed, a message
  // that gRPC itself would not take, all without our reason) nor a method that has no flow.
  static bool ReachedAFlow(const std::string& method, const grpc::Status& status) {
    if (method == "GetJwks") return false;
    if (status.ok()) return true;
    return status.error_code() != grpc::StatusCode::INVALID_ARGUMENT &&
           !status.error_details().empty() &&
           status.error_details().find("CREDENTIALS_MISSING") == std::string::npos;
  }

  void Harvest(Call& call) {
    if (call.method != "SignupWithPhoneNumber" && call.method != "LoginWithPhoneNumber") return;
    std::vector<grpc::Slice> slices;
    if (!call.response.Dump(&slices).ok()) return;
    std::string wire;
    for (const auto& slice : slices) {
      wire.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    auth::v1::SignupWithPhoneNumberResponse response;  // the log-in response has the same shape
    if (response.ParseFromString(wire)) {
      material_.verification_ids.push_back(response.verification().verification_id());
    }
  }

  Options options_;
  Mutator mutator_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
  std::mutex mutex_;
  std::condition_variable room_;
  int in_flight_ = 0;
  int reached_ = 0;
  Material material_;
  std::map<std::string, int> answers_;
  std::vector<std::string> faults_;
};

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--target") {
      options.target = argv[i + 1];
    } else if (name == "--tokens") {
      options.tokens = argv[i + 1];
    } else if (name == "--seed") {
      options.seed = std::stoull(argv[i + 1]);
    } else if (name == "--requests") {
      options.requests = std::stoi(argv[i + 1]);
    } else if (name == "--in-flight") {
      options.in_flight = std::stoi(argv[i + 1]);
    } else if (name == "--reach") {
      options.reach = std::stod(argv[i + 1]);
    }
  }
  return options;
}

}  // namespace
}  // namespace countersign::fuzz

int main(int argc, char** argv) {
  const auto options = countersign::fuzz::Parse(argc, argv);
  if (options.target.empty()) {
    std::cerr << "usage: countersign-fuzz --target HOST:PORT [--tokens FILE] [--requests N] "
                 "[--seed N] [--in-flight N] [--reach SHARE]\n";
    return 2;
  }
  countersign::fuzz::Fuzzer fuzzer(options);
  fuzzer.Run();
  return fuzzer.Report();
}
