#pragma once

namespace countersign::rpc {

// Puts grpc and what it links in order for a process of ours. grpc's errors become JSON lines
// instead of lines of its own; protobuf's complaints about requests that we answer anyway are
// dropped; abseil no longer keeps a graph of who holds which lock, which Debian's build does by
// default. Process wide, harmless to repeat.
void PrepareGrpc();

}  // namespace countersign::rpc
