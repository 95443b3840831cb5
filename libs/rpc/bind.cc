#include <vector>

#include "libs/rpc/channel_settings.h"
#include "libs/rpc/server.h"

namespace countersign::rpc {

void Bind(ServerSettings& settings, const std::string& section, config::Keys& keys) {
  const auto name = [&](const char* key) { return section + "." + key; };
  keys.Text(name("listen"), settings.listen, {.help = "Address and port of the gRPC listener."});
  keys.Text(name("tls.certificate"), settings.tls_certificate,
            {.help = "PEM file of the listener's certificate chain; none is plaintext, which is "
                     "refused off loopback."});
  keys.Text(name("tls.key"), settings.tls_key, {.help = "PEM file of the certificate's key."});
  keys.Text(name("tls.client_ca"), settings.tls_client_ca,
            {.help = "PEM file of the authority that signs client certificates."});
  keys.Text(
      name("tls.client_certificate"), settings.tls_client_certificate,
      {.help = "Whether clients show a certificate.", .only = {"none", "optional", "required"}});
  keys.Flag(name("reflection"), settings.reflection, {.help = "Serve gRPC reflection."});
  keys.Bytes(name("max_request"), settings.max_request,
             {.help = "Largest request accepted.", .min = "1KiB", .max = "4MiB"});
  keys.Bytes(name("max_metadata"), settings.max_metadata,
             {.help = "Largest metadata of a call.", .min = "1KiB", .max = "64KiB"});
  keys.Integer(name("max_streams"), settings.max_streams,
               {.help = "Calls at once on one connection; 0 is 1024 on loopback and 100 elsewhere.",
                .min = "0",
                .max = "100000"});
  keys.Duration(name("max_connection_idle"), settings.max_connection_idle,
                {.help = "A connection without calls is closed after this.", .min = "1s"});
  keys.Duration(name("max_connection_age"), settings.max_connection_age,
                {.help = "A connection is asked to leave after this, so that clients spread anew.",
                 .min = "1s"});
  keys.Duration(name("max_connection_age_grace"), settings.max_connection_age_grace,
                {.help = "Time for its last calls.", .min = "1s"});
  keys.Duration(name("deadline"), settings.guard.deadline,
                {.help = "Deadline of calls that come without one, and the most any call gets.",
                 .min = "10ms",
                 .max = "10m"});
  keys.Flag(name("log_requests"), settings.guard.log_requests,
            {.help = "Write one line per finished call; faults are written always."});
  keys.Check([&settings]() -> std::string {
    if (settings.tls_certificate.empty() != settings.tls_key.empty()) {
      return "a certificate and its key go together";
    }
    if (settings.tls_client_certificate != "none" && settings.tls_client_ca.empty()) {
      return "client certificates need tls.client_ca";
    }
    return {};
  });
}

void Bind(ChannelSettings& settings, const std::string& section, config::Keys& keys) {
  const auto name = [&](const char* key) { return section + "." + key; };
  keys.Text(name("target"), settings.target,
            {.help = "Address and port of the service.", .required = true});
  keys.Text(name("tls.ca"), settings.tls_ca,
            {.help = "PEM file of the authority that signs its certificate; none is plaintext, "
                     "which is refused off loopback."});
  keys.Text(name("tls.certificate"), settings.tls_certificate,
            {.help = "PEM file of our certificate chain."});
  keys.Text(name("tls.key"), settings.tls_key, {.help = "PEM file of our certificate's key."});
  keys.Text(name("tls.server_name"), settings.tls_server_name,
            {.help = "Name its certificate must have, if not the target's host."});
  keys.Duration(name("keepalive"), settings.keepalive,
                {.help = "Time between pings on a silent connection.", .min = "10s"});
}

}  // namespace countersign::rpc
