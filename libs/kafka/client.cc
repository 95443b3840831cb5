#include "libs/kafka/client.h"

#include <algorithm>
#include <array>

namespace countersign::kafka {
namespace {

using ErrorText = std::array<char, 512>;

void ForwardLog(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  const auto* context = static_cast<const ClientContext*>(rd_kafka_opaque(client));
  if (context != nullptr && context->log) context->log(level, facility, text);
}

void SetIfGiven(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  if (!value.empty()) Set(conf, name, value);
}

// Earlier versions repeat the client's nonce in their final message (RFC 5802 section 3), which
// brokers before Kafka 4 let pass: https://github.com/confluentinc/librdkafka/pull/4895.
constexpr int kScramAsInRfc5802 = 0x020601ff;

// An address, not a name that begins like one.
bool IsLoopback(std::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  return host.starts_with("127.") &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

// Where the client goes, whom it trusts, and what the promises about events rest on: an operator's
// own property must not change these unseen.
constexpr std::array<std::string_view, 19> kNotForOperators = {
    "bootstrap.servers",
    "metadata.broker.list",
    "security.protocol",
    "enable.ssl.certificate.verification",
    "ssl.endpoint.identification.algorithm",
    "enable.idempotence",
    "acks",
    "request.required.acks",
    "enable.gapless.guarantee",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "partitioner",
    "enable.auto.offset.store",
    "auto.commit.enable",
    "enable.auto.commit",
    "isolation.level",
    "group.id",
    "transactional.id",
    "transaction.timeout.ms",
};

}  // namespace

void Release::operator()(rd_kafka_s* handle) const {
  rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}
void Release::operator()(rd_kafka_conf_s* handle) const { rd_kafka_conf_destroy(handle); }
void Release::operator()(rd_kafka_queue_s* handle) const { rd_kafka_queue_destroy(handle); }
void Release::operator()(rd_kafka_topic_s* handle) const { rd_kafka_topic_destroy(handle); }
void Release::operator()(rd_kafka_message_s* handle) const { rd_kafka_message_destroy(handle); }
void Release::operator()(const struct rd_kafka_metadata* handle) const {
  rd_kafka_metadata_destroy(handle);
}
void Release::operator()(rd_kafka_headers_s* handle) const { rd_kafka_headers_destroy(handle); }
void Release::operator()(rd_kafka_topic_partition_list_s* handle) const {
  rd_kafka_topic_partition_list_destroy(handle);
}

bool Fault::IsAuthentication() const {
  switch (code_) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return true;
    default:
      return false;
  }
}

bool OnlyLoopback(std::string_view brokers) {
  while (!brokers.empty()) {
    const auto comma = brokers.find(',');
    std::string_view broker = brokers.substr(0, comma);
    brokers.remove_prefix(comma == std::string_view::npos ? brokers.size() : comma + 1);
    while (!broker.empty() && broker.front() == ' ') broker.remove_prefix(1);
    if (!IsLoopback(broker.substr(0, broker.rfind(':')))) return false;
  }
  return true;
}

void Set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  ErrorText text{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text.data(), text.size()) !=
      RD_KAFKA_CONF_OK) {
    // The library's text repeats the value, which may be a password.
    throw SettingsFault("kafka property " + name + " is unknown or its value is not valid");
  }
}

ConfHandle MakeConf(const ClientSettings& settings, ClientContext* context) {
  if (settings.brokers.empty()) throw SettingsFault("no kafka brokers are given");
  if (!settings.use_tls && !settings.allow_plaintext && !OnlyLoopback(settings.brokers)) {
    throw SettingsFault("plaintext to a kafka broker off loopback is refused: use TLS");
  }
  ConfHandle conf(rd_kafka_conf_new());
  context->log = settings.log;
  rd_kafka_conf_set_opaque(conf.get(), context);
  if (settings.log) rd_kafka_conf_set_log_cb(conf.get(), ForwardLog);
  Set(conf.get(), "bootstrap.servers", settings.brokers);
  Set(conf.get(), "client.id", settings.client_id);
  Set(conf.get(), "socket.nagle.disable", "true");
  Set(conf.get(), "reconnect.backoff.max.ms", "1000");
  Set(conf.get(), "log.connection.close", "false");
  Set(conf.get(), "allow.auto.create.topics", "false");
  const bool use_sasl = !settings.sasl.mechanism.empty();
  const std::string transport = settings.use_tls ? "ssl" : "plaintext";
  Set(conf.get(), "security.protocol", use_sasl ? "sasl_" + transport : transport);
  if (settings.use_tls) {
    SetIfGiven(conf.get(), "ssl.ca.location", settings.tls.ca_file);
    SetIfGiven(conf.get(), "ssl.certificate.location", settings.tls.certificate_file);
    SetIfGiven(conf.get(), "ssl.key.location", settings.tls.key_file);
    Set(conf.get(), "ssl.endpoint.identification.algorithm", "https");
  }
  if (use_sasl) {
    Set(conf.get(), "sasl.mechanism", settings.sasl.mechanism);
    Set(conf.get(), "sasl.username", settings.sasl.username);
    Set(conf.get(), "sasl.password", settings.sasl.password.Reveal());
  }
  return conf;
}

ClientHandle MakeClient(rd_kafka_type_t type, ConfHandle conf, const ClientSettings& settings) {
  for (const auto& [name, value] : settings.properties) {
    if (std::ranges::find(kNotForOperators, name) != kNotForOperators.end()) {
      throw SettingsFault("kafka property " + name + " cannot be set by hand");
    }
    Set(conf.get(), name, value);
  }
  ErrorText text{};
  ClientHandle client(rd_kafka_new(type, conf.get(), text.data(), text.size()));
  if (!client) throw SettingsFault("the kafka client cannot be made: " + std::string(text.data()));
  (void)conf.release();  // the client owns it now
  return client;
}

std::string Describe(rd_kafka_resp_err_t code) { return rd_kafka_err2str(code); }

std::string Explain(rd_kafka_resp_err_t code, const std::string& text) {
  if (code != RD_KAFKA_RESP_ERR__AUTHENTICATION || rd_kafka_version() >= kScramAsInRfc5802 ||
      text.find("SCRAM-") == std::string::npos) {
    return text;
  }
  return text + "; brokers since Kafka 4 refuse SCRAM of librdkafka " + rd_kafka_version_str() +
         " whatever the password: they need librdkafka 2.6.1, PLAIN or a client certificate";
}

void Check(rd_kafka_resp_err_t code, const std::string& doing) {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) throw Fault(code, doing + ": " + Describe(code));
}

void ThrowIfFatal(rd_kafka_t* client) {
  ErrorText text{};
  const auto code = rd_kafka_fatal_error(client, text.data(), text.size());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw FatalFault(code, "the kafka client died: " + std::string(text.data()));
  }
}

}  // namespace countersign::kafka
