#include "tools/countersignctl/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

namespace countersign::ctl {
namespace {

constexpr std::string_view kMechanisms[] = {"SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"};

}  // namespace

std::vector<Option> ClusterOptions(std::vector<Option> more) {
  std::vector<Option> options = {
      {"brokers", "HOST:PORT,…", "Kafka brokers", "", "KAFKA_BROKERS"},
      {"kafka-tls", "", "connect with TLS", "", "KAFKA_TLS"},
      {"kafka-ca", "FILE", "who signs the brokers' certificates", "", "KAFKA_CA_FILE"},
      {"kafka-certificate", "FILE", "our certificate, for mutual TLS", "",
       "KAFKA_CERTIFICATE_FILE"},
      {"kafka-key", "FILE", "its key", "", "KAFKA_KEY_FILE"},
      {"kafka-mechanism", "NAME", "of SASL: SCRAM-SHA-256, SCRAM-SHA-512 or PLAIN", "SCRAM-SHA-512",
       "KAFKA_MECHANISM"},
      {"kafka-user", "NAME", "SASL user", "", "KAFKA_USER"},
      {"kafka-password-file", "FILE", "its password", "", "KAFKA_PASSWORD_FILE"},
  };
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

kafka::ClientSettings ClusterSettings(const Arguments& arguments) {
  kafka::ClientSettings settings;
  settings.brokers = arguments.Required("brokers");
  settings.client_id = "countersignctl";
  settings.use_tls = arguments.Flag("kafka-tls");
  settings.tls = {.ca_file = arguments.Text("kafka-ca"),
                  .certificate_file = arguments.Text("kafka-certificate"),
                  .key_file = arguments.Text("kafka-key")};
  // Who names certificates must not find out by a packet dump that nobody looked at them.
  if (!settings.use_tls && !(settings.tls.ca_file + settings.tls.certificate_file).empty()) {
    throw UsageFault("--kafka-ca and --kafka-certificate are of no use without --kafka-tls");
  }
  settings.log = [](int, std::string_view, std::string_view) {};
  if (const auto user = arguments.Text("kafka-user"); !user.empty()) {
    const auto file = arguments.Required("kafka-password-file");
    std::ifstream in(file);
    std::string password;
    if (!std::getline(in, password)) throw Failure(fmt::format("cannot read {}", file));
    const auto mechanism = arguments.Required("kafka-mechanism");
    if (std::ranges::find(kMechanisms, mechanism) == std::end(kMechanisms)) {
      throw UsageFault("--kafka-mechanism: SCRAM-SHA-256, SCRAM-SHA-512 or PLAIN is expected");
    }
    settings.sasl = {
        .mechanism = mechanism, .username = user, .password = Secret<std::string>(password)};
  }
  return settings;
}

}  // namespace countersign::ctl
