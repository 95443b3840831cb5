#include "services/otp/config.h"

namespace countersign::otp {
namespace {

// Also on loopback: a check of codes that anybody on the host may call is a guessing machine.
std::string CheckListener(const rpc::ServerSettings& grpc) {
  if (grpc.tls_certificate.empty() || grpc.tls_key.empty() || grpc.tls_client_ca.empty()) {
    return "grpc.tls.certificate, grpc.tls.key and grpc.tls.client_ca are needed: codes are "
           "checked over mutual TLS only";
  }
  if (grpc.tls_client_certificate == "none") {
    return "grpc.tls.client_certificate: none would admit nobody, since callers are known by "
           "their certificates";
  }
  return {};
}

void BindDatabase(Config& config, config::Keys& keys) {
  service::Bind(config.database, keys, kDatabaseRole);
  keys.Integer("database.writers", config.database_writers,
               {.help = "Connections for each of intents, begun sends, finished sends and guesses; "
                        "verdicts have one.",
                .min = "1",
                .max = "16"});
}

void BindConsumer(Config& config, config::Keys& keys) {
  config.kafka.client.client_id = "countersign-otp";
  kafka::Bind(config.kafka, keys);
  keys.Text("consumer.topic", config.consumer_topic,
            {.help = "Topic of the commands to send codes; what cannot be read goes to the topic "
                     "of this name and .dlt.",
             .required = true});
  keys.Text(
      "consumer.group", config.consumer_group,
      {.help = "Consumer group; its members share the topic's partitions.", .required = true});
  keys.Integer("consumer.in_flight", config.consumer_in_flight,
               {.help = "Codes on their way to the provider at once; one at a time per number.",
                .min = "1",
                .max = "4096"});
  keys.Duration("consumer.send_timeout", config.send_timeout,
                {.help = "Longest time of one send, the end of an earlier verification included; "
                         "beyond, its outcome is unknown.",
                 .min = "100ms",
                 .max = "2m"});
}

void BindCodes(Config& config, config::Keys& keys) {
  keys.Integer("codes.length", config.code_length,
               {.help = "Digits of a code that is made here.", .min = "6", .max = "10"});  // OTP-1
  keys.Integer(
      "codes.attempts", config.code_attempts,
      {.help = "Guesses for one challenge, its resends included.", .min = "1", .max = "10"});
  keys.Integer("codes.failures_per_day", config.failures_per_day,
               {.help = "Wrong guesses for one number in a day, over all its challenges.",
                .min = "1",
                .max = "100"});  // OTP-6
}

}  // namespace

void Bind(Config& config, config::Keys& keys) {
  process::Bind(config.process, keys);
  rpc::Bind(config.grpc, "grpc", keys);
  keys.Check([&config] { return CheckListener(config.grpc); });
  BindDatabase(config, keys);
  keys.Text(
      "keys.directory", config.keys_directory,
      {.help = "Folder of the key rings code and recipient; made by countersignctl keys init.",
       .required = true});
  BindConsumer(config, keys);
  BindCodes(config, keys);
  providers::Bind(config.provider, keys);
}

}  // namespace countersign::otp
