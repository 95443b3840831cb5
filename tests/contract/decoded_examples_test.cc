// The specification's own examples through our decoders, held against decoded_examples.golden. An
// example that the specification gains or changes shows here first.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "services/otp/providers/twilio_answers.h"
#include "services/otp/providers/twilio_api.h"

namespace countersign::otp::providers {
namespace {

using nlohmann::json;

constexpr const char* kGolden = "tests/contract/decoded_examples.golden";

struct Example {
  std::string operation;
  std::string status;
  std::string name;
  json body;
};

void CollectExamples(const json& operation, std::vector<Example>& examples) {
  for (const auto& [status, response] : operation["responses"].items()) {
    const json content = response.value("content", json::object());
    for (const auto& [type, media] : content.items()) {
      const json listed = media.value("examples", json::object());
      for (const auto& [name, example] : listed.items()) {
        examples.push_back({operation["operationId"], status, name, example["value"]});
      }
    }
  }
}

bool IsOurs(const json& described) {
  return std::ranges::any_of(kOperations, [&](const Operation* operation) {
    return described["operationId"] == operation->name;
  });
}

// Of the operations we call, in alphabetical order.
std::vector<Example> ReadExamples(const std::filesystem::path& folder) {
  std::vector<Example> examples;
  for (const auto* name : {"twilio_verify_v2.json", "twilio_api_v2010.json"}) {
    std::ifstream file(folder / name);
    if (!file) throw std::runtime_error("cannot read " + (folder / name).string());
    const json document = json::parse(file);
    for (const auto& [path, item] : document["paths"].items()) {
      for (const auto* method : {"get", "post"}) {
        if (item.contains(method) && IsOurs(item[method])) CollectExamples(item[method], examples);
      }
    }
  }
  std::ranges::sort(examples, {}, [](const Example& example) {
    return std::tie(example.operation, example.status, example.name);
  });
  return examples;
}

std::string Shown(const std::string& decoded_sid, const json& body, const std::string& rest) {
  return (body["sid"] == decoded_sid ? "sid as given, " : "ANOTHER SID, ") + rest;
}

std::string DecodedAttempts(const std::string& text) {
  const auto attempts = DecodeAttempts(text);
  if (!attempts) return "unreadable";
  std::string shown = std::to_string(attempts->size()) + " attempts";
  for (const auto& attempt : *attempts) shown += ", " + attempt.conversion_status;
  return shown;
}

std::string Decoded(const Example& example) {
  const std::string text = example.body.dump();
  const json& body = example.body;
  const std::string_view operation = example.operation;
  if (example.status >= "400") return "code " + std::to_string(DecodeErrorCode(text));
  if (operation == kFetchService.name) {
    const auto service = DecodeService(text);
    return service ? Shown(service->sid, body, std::to_string(service->code_length) + " digits")
                   : "unreadable";
  }
  if (operation == kCreateVerification.name || operation == kUpdateVerification.name) {
    const auto verification = DecodeVerification(text);
    if (!verification) return "unreadable";
    return Shown(verification->sid, body,
                 verification->status + ", sends " + std::to_string(verification->sends));
  }
  if (operation == kCreateVerificationCheck.name) {
    const auto check = DecodeCheck(text);
    return check ? Shown(check->sid, body, check->status) : "unreadable";
  }
  if (operation == kListVerificationAttempt.name) return DecodedAttempts(text);
  if (operation == kCreateMessage.name) {
    const auto message = DecodeMessage(text);
    if (!message) return "unreadable";
    return Shown(message->sid, body,
                 message->status + ", error " + std::to_string(message->error_code));
  }
  const auto count = DecodeMessageCount(text);
  return count ? std::to_string(*count) + " messages" : "unreadable";
}

TEST(SpecificationExamples, AreDecodedAsRecorded) {
  const char* const contracts = std::getenv("COUNTERSIGN_CONTRACTS");
  if (contracts == nullptr) {
    const char* const ci = std::getenv("CI");
    ASSERT_FALSE(ci != nullptr && std::string(ci) == "true") << "CI needs COUNTERSIGN_CONTRACTS";
    GTEST_SKIP() << "set COUNTERSIGN_CONTRACTS to a folder with twilio/twilio_verify_v2.json and "
                    "twilio/twilio_api_v2010.json";
  }
  std::ostringstream decoded;
  for (const Example& example : ReadExamples(std::filesystem::path(contracts) / "twilio")) {
    decoded << example.operation << ' ' << example.status << ' ' << example.name << ": "
            << Decoded(example) << '\n';
  }

  std::ifstream file(kGolden);
  std::ostringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(decoded.str(), golden.str());
}

}  // namespace
}  // namespace countersign::otp::providers
