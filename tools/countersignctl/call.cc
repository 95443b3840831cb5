#include <fmt/ostream.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <array>
#include <fstream>
#include <memory>

#include "countersign/auth/v1/auth.pb.h"
#include "countersign/otp/v1/otp.pb.h"
#include "tools/countersignctl/command.h"
#include "tools/countersignctl/unary_call.h"

namespace countersign::ctl {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

// The services this tool was built with; naming a message of each keeps the linker from dropping
// their descriptors.
std::array<const ServiceDescriptor*, 2> Services() {
  return {auth::v1::SignupWithPhoneNumberRequest::descriptor()->file()->service(0),
          otp::v1::VerifyOtpRequest::descriptor()->file()->service(0)};
}

const MethodDescriptor& FindMethod(std::string_view name) {
  const std::string method(name.substr(name.find_last_of("/.") + 1));
  std::string known;
  for (const ServiceDescriptor* service : Services()) {
    if (const auto* found = service->FindMethodByName(method)) return *found;
    for (int i = 0; i < service->method_count(); ++i) {
      known += (known.empty() ? "" : ", ") + service->method(i)->name();
    }
  }
  throw UsageFault(fmt::format("no such method; there are {}", known));
}

std::unique_ptr<Message> MakeMessage(const Descriptor* type) {
  return std::unique_ptr<Message>(MessageFactory::generated_factory()->GetPrototype(type)->New());
}

std::string FirstLine(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line)) throw Failure(fmt::format("cannot read {}", file));
  return line;
}

Target FindTarget(const Arguments& arguments, bool is_otp) {
  Target target{.address = arguments.Required(is_otp ? "otp" : "auth")};
  // otp speaks mutual TLS only; auth as it is set up.
  if (!is_otp && !arguments.Flag("tls")) return target;
  const std::string folder = arguments.Required("tls-dir");
  target.tls_ca = folder + "/ca.pem";
  if (const auto identity = arguments.Text("identity"); !identity.empty()) {
    target.tls_certificate = fmt::format("{}/{}.pem", folder, identity);
    target.tls_key = fmt::format("{}/{}.key", folder, identity);
  }
  target.tls_server_name = arguments.Text("server-name");
  return target;
}

void PrintRefusal(const Refusal& refusal, bool json, const Streams& streams) {
  if (json) {
    fmt::print(streams.out, "{}\n", ToJson(refusal));
    return;
  }
  fmt::print(streams.err, "{} ({}): {}\n", refusal.reason.empty() ? "no reason" : refusal.reason,
             refusal.code, refusal.message);
  for (const auto& [field, what] : refusal.fields) {
    fmt::print(streams.err, "  {}: {}\n", field, what);
  }
  if (refusal.retry_after_seconds > 0) {
    fmt::print(streams.err, "  retry after {} s\n", refusal.retry_after_seconds);
  }
}

int Call(const Arguments& arguments, const Streams& streams) {
  const MethodDescriptor& method = FindMethod(arguments.positionals()[0]);
  const auto request = MakeMessage(method.input_type());
  const std::string json = arguments.positionals().size() > 1 ? arguments.positionals()[1] : "{}";
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, request.get());
  if (!parsed.ok()) throw UsageFault(fmt::format("the request: {}", parsed.message().as_string()));

  std::string token = arguments.Text("token");
  if (const auto file = arguments.Text("token-file"); !file.empty()) token = FirstLine(file);
  const auto outcome = CallUnary(
      FindTarget(arguments, method.service()->full_name() == "countersign.otp.v1.OtpService"),
      {.path = fmt::format("/{}/{}", method.service()->full_name(), method.name()),
       .request = request->SerializeAsString(),
       .token = token,
       .limit = std::chrono::milliseconds(arguments.Number("timeout-ms", 1, 600'000))});
  if (outcome.refusal) {
    PrintRefusal(*outcome.refusal, arguments.Flag("json"), streams);
    return outcome.refusal->code == "UNAVAILABLE" ? kUnavailable : kFailed;
  }
  const auto response = MakeMessage(method.output_type());
  if (!response->ParseFromString(outcome.response)) throw Failure("the answer cannot be read");
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = !arguments.Flag("json");
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(*response, &text, options).ok()) {
    throw Failure("the answer has no JSON form");
  }
  fmt::print(streams.out, "{}{}", text, text.ends_with('\n') ? "" : "\n");
  return kOk;
}

}  // namespace

std::vector<Command> CallCommands() {
  return {
      {.words = "call",
       .positionals = "METHOD [JSON]",
       .summary = "Call a method of auth or otp; request and answer are protobuf JSON",
       .details = "A refusal prints its reason word (docs/errors.md) and exits 1.\n"
                  "example: countersignctl call LoginWithPhoneNumber "
                  "'{\"phoneNumber\": \"+4915112345678\"}'",
       .options = {{"auth", "HOST:PORT", "the auth service", "", "AUTH_GRPC"},
                   {"otp", "HOST:PORT", "the otp service", "", "OTP_GRPC"},
                   {"token", "TOKEN", "access token to send", "", "ACCESS_TOKEN"},
                   {"token-file", "FILE", "the same from a file, which no process list shows"},
                   {"tls", "", "speak TLS to auth (to otp always)"},
                   {"tls-dir", "FOLDER", "ca.pem, <identity>.pem, <identity>.key", "", "TLS_DIR"},
                   {"identity", "NAME", "whose certificate to show; empty: none", "auth"},
                   {"server-name", "NAME", "name the certificate must have, if not the host"},
                   {"timeout-ms", "N", "time limit", "10000"},
                   {"json", "", "answer on one line; a refusal as JSON too"}},
       .least_positionals = 1,
       .most_positionals = 2,
       .run = Call}};
}

}  // namespace countersign::ctl
