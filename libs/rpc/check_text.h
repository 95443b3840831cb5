#pragma once
#include <google/protobuf/message.h>

#include <string_view>

#include "libs/core/result.h"

namespace countersign::rpc {

// FIELD_INVALID with the field's path ("profile.names[2]") for a string with NUL or broken UTF-8,
// and for a field sent with another wire type than the contract's.
[[nodiscard]] Result<void> CheckText(const google::protobuf::Message& message);

// Names the field that keeps `wire` from being decoded as `prototype`'s type, if one can be named.
[[nodiscard]] Error WhyUndecodable(const google::protobuf::Message& prototype,
                                   std::string_view wire);

}  // namespace countersign::rpc
