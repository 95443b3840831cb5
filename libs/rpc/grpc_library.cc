#include "libs/rpc/grpc_library.h"

#include <absl/synchronization/mutex.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include "libs/log/logger.h"

namespace countersign::rpc {
namespace {

void WriteLine(gpr_log_func_args* args) {
  // The hook has no place for a pointer of ours, hence the one static logger.
  static const log::Logger logger("grpc", log::Level::kWarn);
  if (args->severity == GPR_LOG_SEVERITY_ERROR) {
    logger.Error(args->message, {{"line", args->line}});
  }
}

}  // namespace

void PrepareGrpc() {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  gpr_set_log_function(&WriteLine);
  google::protobuf::SetLogHandler(nullptr);
}

}  // namespace countersign::rpc
