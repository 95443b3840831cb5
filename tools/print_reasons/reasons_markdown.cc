#include "tools/print_reasons/reasons_markdown.h"

#include "libs/core/reasons.h"
#include "libs/rpc/code_name.h"

namespace countersign {
namespace {

constexpr std::string_view kHead = R"(# Errors

<!-- Printed from libs/core/reasons.h by `print_reasons`; do not edit by hand. -->

A refused call has a gRPC status whose details (`grpc-status-details-bin`, a `google.rpc.Status`)
hold a `google.rpc.ErrorInfo` with `domain: countersign`, one of the reasons below, and in its
metadata the `request_id` that the server's log line has. Branch on the reason: it never changes its
meaning, the text may. Where waiting helps there is a `google.rpc.RetryInfo`, where a field is at
fault a `google.rpc.BadRequest` with its path.

gRPC itself refuses a request above the size limit (64 KiB) and metadata above its own (8 KiB) with
`RESOURCE_EXHAUSTED`, and an unknown method with `UNIMPLEMENTED`; these have no details. Nor has the
`UNAVAILABLE`, or now and then `CANCELLED`, of a call that meets a server in the instant it stops: no
code of ours saw it, so it may be repeated. Clients treat a code they do not know as `UNKNOWN` and a
reason they do not know by its code.

| Reason | gRPC code | Meaning | What the client does |
|---|---|---|---|
)";

}  // namespace

std::string ReasonsMarkdown() {
  std::string text(kHead);
  for (const Reason* reason : reasons::kAll) {
    text.append("| `").append(reason->word).append("` | `").append(rpc::CodeName(reason->kind));
    text.append("` | ").append(reason->meaning).append(" | ").append(reason->client_action);
    text.append(" |\n");
  }
  return text;
}

}  // namespace countersign
