#pragma once

namespace countersign::rpc {

// grpc's errors become JSON lines instead of lines of its own; protobuf's complaints about requests
// that we answer anyway are dropped. Process wide, harmless to repeat.
void CaptureLibraryLogs();

}  // namespace countersign::rpc
