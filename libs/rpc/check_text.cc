#include "libs/rpc/check_text.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>

#include <optional>
#include <string>
#include <vector>

#include "libs/core/utf8.h"

namespace countersign::rpc {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

// Requests of the contract are at most two deep; what is deeper is no request of ours.
constexpr int kMaxDepth = 16;

struct Fault {
  std::string field;
  std::string why;
};

Error ToError(Fault fault) {
  return Error{&reasons::kFieldInvalid, std::move(fault.field), std::move(fault.why), {}};
}

std::optional<std::string> TextFault(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return "NUL in text";
  if (!IsUtf8(text)) return "broken UTF-8";
  return std::nullopt;
}

std::string Element(const FieldDescriptor& field, int index) {
  return field.is_repeated() ? field.name() + "[" + std::to_string(index) + "]" : field.name();
}

std::optional<Fault> FindFault(const Message& message, int depth);

std::optional<Fault> FindFaultIn(const Message& message, const Reflection& reflection,
                                 const FieldDescriptor& field, int index, int depth) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    auto fault =
        FindFault(field.is_repeated() ? reflection.GetRepeatedMessage(message, &field, index)
                                      : reflection.GetMessage(message, &field),
                  depth + 1);
    if (fault) fault->field = Element(field, index) + "." + fault->field;
    return fault;
  }
  std::string scratch;
  const std::string& text =
      field.is_repeated() ? reflection.GetRepeatedStringReference(message, &field, index, &scratch)
                          : reflection.GetStringReference(message, &field, &scratch);
  auto why = TextFault(text);
  if (!why) return std::nullopt;
  return Fault{Element(field, index), std::move(*why)};
}

std::optional<Fault> FindFault(const Message& message, int depth) {
  if (depth > kMaxDepth) return Fault{"request", "nested too deep"};
  const Reflection& reflection = *message.GetReflection();
  const UnknownFieldSet& unknown = reflection.GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    const auto* field = message.GetDescriptor()->FindFieldByNumber(unknown.field(i).number());
    if (field != nullptr) return Fault{field->name(), "sent with another wire type"};
  }
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->type() != FieldDescriptor::TYPE_STRING &&
        field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      continue;
    }
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int index = 0; index < count; ++index) {
      auto fault = FindFaultIn(message, reflection, *field, index, depth);
      if (fault) return fault;
    }
  }
  return std::nullopt;
}

// The same walk over bytes that the decoder of the message type refused.
std::optional<Fault> FindFaultInWire(const Descriptor& type, std::string_view wire, int depth) {
  UnknownFieldSet fields;
  if (depth > kMaxDepth || !fields.ParseFromArray(wire.data(), static_cast<int>(wire.size()))) {
    return Fault{"", "not a protobuf message"};
  }
  for (int i = 0; i < fields.field_count(); ++i) {
    const FieldDescriptor* field = type.FindFieldByNumber(fields.field(i).number());
    if (field == nullptr || fields.field(i).type() != UnknownField::TYPE_LENGTH_DELIMITED) continue;
    const std::string& value = fields.field(i).length_delimited();
    if (field->type() == FieldDescriptor::TYPE_STRING) {
      if (auto why = TextFault(value)) return Fault{field->name(), std::move(*why)};
    } else if (field->type() == FieldDescriptor::TYPE_MESSAGE) {
      auto fault = FindFaultInWire(*field->message_type(), value, depth + 1);
      if (!fault) continue;
      fault->field = fault->field.empty() ? field->name() : field->name() + "." + fault->field;
      return fault;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<void> CheckText(const Message& message) {
  auto fault = FindFault(message, 0);
  if (fault) return Fail(ToError(std::move(*fault)));
  return {};
}

Error WhyUndecodable(const Message& prototype, std::string_view wire) {
  auto fault = FindFaultInWire(*prototype.GetDescriptor(), wire, 0);
  if (!fault) fault = Fault{"", "not decodable"};
  if (fault->field.empty()) fault->field = "request";
  return ToError(std::move(*fault));
}

}  // namespace countersign::rpc
