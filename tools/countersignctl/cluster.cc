#include "tools/countersignctl/cluster.h"

#include <fmt/format.h>

#include <fstream>

namespace countersign::ctl {

std::vector<Option> ClusterOptions(std::vector<Option> more) {
  std::vector<Option> options = {
      {"brokers", "HOST:PORT,…", "Kafka brokers", "", "KAFKA_BROKERS"},
      {"kafka-tls", "", "connect with TLS"},
      {"kafka-ca", "FILE", "who signs the brokers' certificates", "", "KAFKA_CA_FILE"},
      {"kafka-user", "NAME", "SASL user (SCRAM-SHA-512)", "", "KAFKA_USER"},
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
  settings.tls.ca_file = arguments.Text("kafka-ca");
  settings.log = [](int, std::string_view, std::string_view) {};
  if (const auto user = arguments.Text("kafka-user"); !user.empty()) {
    const auto file = arguments.Required("kafka-password-file");
    std::ifstream in(file);
    std::string password;
    if (!std::getline(in, password)) throw Failure(fmt::format("cannot read {}", file));
    settings.sasl = {
        .mechanism = "SCRAM-SHA-512", .username = user, .password = Secret<std::string>(password)};
  }
  return settings;
}

}  // namespace countersign::ctl
