#pragma once
// Inside libs/kafka only: what producer, consumer and admin share.
#include <librdkafka/rdkafka.h>

#include <string>

#include "libs/kafka/fault.h"
#include "libs/kafka/handles.h"
#include "libs/kafka/settings.h"

namespace countersign::kafka {

// The `opaque` of every client: the callbacks find their way home by it.
struct ClientContext {
  LogSink log;
  virtual ~ClientContext() = default;
};

// Throws SettingsFault, naming the property.
void Set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value);

// Connection, security and logging. Throws SettingsFault.
[[nodiscard]] ConfHandle MakeConf(const ClientSettings& settings, ClientContext* context);
// Applies the operator's own properties, last, and makes the client. Throws SettingsFault.
[[nodiscard]] ClientHandle MakeClient(rd_kafka_type_t type, ConfHandle conf,
                                      const ClientSettings& settings);

[[nodiscard]] std::string Describe(rd_kafka_resp_err_t code);
// The library's own text of an error; says so if the library and not the password may be at fault.
[[nodiscard]] std::string Explain(rd_kafka_resp_err_t code, const std::string& text);
// Throws Fault unless the code is NO_ERROR.
void Check(rd_kafka_resp_err_t code, const std::string& doing);
// Throws Fault if the one topic that was asked for may not be seen: whether it exists is hidden
// then.
void CheckVisible(const rd_kafka_metadata_t* metadata, const std::string& doing);
// Throws FatalFault if the client has died.
void ThrowIfFatal(rd_kafka_t* client);

}  // namespace countersign::kafka
