#include "libs/kafka/config.h"

#include <string_view>

#include "libs/kafka/operator_properties.h"

namespace countersign::kafka {

void Bind(ClientConfig& config, config::Keys& keys) {
  auto& client = config.client;
  keys.Text("kafka.brokers", client.brokers,
            {.help = "host:port, comma separated.", .required = true});
  keys.Flag("kafka.tls", client.use_tls, {.help = "Talk TLS to the brokers."});
  keys.Flag("kafka.allow_plaintext", client.allow_plaintext,
            {.help = "Allow brokers off loopback without TLS."});
  keys.Text("kafka.tls_ca", client.tls.ca_file,
            {.help = "PEM file of the brokers' authority; empty: the system's."});
  keys.Text("kafka.tls_certificate", client.tls.certificate_file,
            {.help = "PEM file of our certificate, for mutual TLS."});
  keys.Text("kafka.tls_key", client.tls.key_file, {.help = "PEM file of its key."});
  keys.Text("kafka.sasl_mechanism", client.sasl.mechanism,
            {.help = "Empty: no SASL.", .only = {"", "SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"}});
  keys.Text("kafka.sasl_username", client.sasl.username, {.help = "SASL user."});
  keys.Hidden("kafka.sasl_password", client.sasl.password, {.help = "SASL password."});
  keys.List("kafka.properties", config.properties,
            {.help = "Further librdkafka properties, name=value; not those that carry a promise."});
  keys.Check([&config]() -> std::string {
    for (const std::string_view property : config.properties) {
      const auto equals = property.find('=');
      if (equals == std::string::npos) return "kafka.properties: an entry is not name=value";
      const auto why = WhyRefused(property.substr(0, equals), property.substr(equals + 1));
      if (!why.empty()) return "kafka.properties: " + why;
    }
    return "";
  });
}

ClientSettings ToSettings(const ClientConfig& config) {
  ClientSettings settings = config.client;
  for (const auto& property : config.properties) {
    const auto equals = property.find('=');
    settings.properties.emplace_back(property.substr(0, equals), property.substr(equals + 1));
  }
  return settings;
}

LogSink LogTo(const log::Logger& logger) {
  return [&logger](int level, std::string_view facility, std::string_view text) {
    // The library calls "warning" what it then mends by itself.
    if (level <= 3) {
      logger.Warn("librdkafka", {{"facility", facility}, {"text", text}});
    } else {
      logger.Debug("librdkafka", {{"facility", facility}, {"text", text}});
    }
  };
}

}  // namespace countersign::kafka
