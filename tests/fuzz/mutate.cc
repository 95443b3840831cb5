#include "tests/fuzz/mutate.h"

#include <array>
#include <limits>

namespace countersign::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

using namespace std::string_view_literals;  // NOLINT(google-build-using-namespace): literals only

constexpr std::array kHostileTexts = {
    ""sv,
    " "sv,
    "\0"sv,
    "+1415\0"
    "5550123"sv,
    "\xff\xfe\xfd"sv,
    "\xc0\xaf"sv,
    "\xed\xa0\x80"sv,
    "letters in a number"sv,
    "+"sv,
    "+00000000000000000000"sv,
    "99999999999999999999999999999999"sv,
    "'; DROP TABLE auth.users; --"sv,
    "{\"a\":1}"sv,
    "{}\",\"x\\"sv,
    "%s%n%x"sv,
    "../../../etc/passwd"sv,
    "\r\nSet-Cookie: x"sv,
    "\xe2\x80\xae"
    "evil"sv,
    "\xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4\xd9\xa5\xd9\xa6"sv,
    "0x7fffffff"sv,
    "00000000-0000-0000-0000-000000000000"sv,
};

constexpr std::array<std::int64_t, 6> kHostileNumbers = {0,
                                                         -1,
                                                         1,
                                                         std::numeric_limits<std::int32_t>::max(),
                                                         std::numeric_limits<std::int32_t>::min(),
                                                         1LL << 40};

}  // namespace

std::string Mutator::MutateText(const std::string& text) {
  switch (Below(7)) {
    case 0:
      return std::string(kHostileTexts.at(static_cast<std::size_t>(Below(kHostileTexts.size()))));
    case 1:
      return std::string(static_cast<std::size_t>(1) << Below(15),
                         static_cast<char>('0' + Below(75)));
    case 2: {
      std::string changed = text;
      if (!changed.empty()) {
        changed[static_cast<std::size_t>(Below(static_cast<int>(changed.size())))] ^=
            static_cast<char>(1 << Below(8));
      }
      return changed;
    }
    case 3:
      return text.substr(0, static_cast<std::size_t>(Below(static_cast<int>(text.size()) + 1)));
    case 4:
      return text + text;
    case 5: {
      std::string changed = text;
      changed.insert(static_cast<std::size_t>(Below(static_cast<int>(text.size()) + 1)),
                     kHostileTexts.at(static_cast<std::size_t>(Below(kHostileTexts.size()))));
      return changed;
    }
    default: {
      std::string noise(static_cast<std::size_t>(Below(40)), '\0');
      for (char& character : noise) character = static_cast<char>(Below(256));
      return noise;
    }
  }
}

void Mutator::MutateField(Message& message, const FieldDescriptor& field) {
  const auto* reflection = message.GetReflection();
  if (field.is_repeated()) return;  // no request has one yet
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      reflection->SetString(&message, &field, MutateText(reflection->GetString(message, &field)));
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      reflection->SetEnumValue(&message, &field, Below(2000) - 1000);
      break;
    case FieldDescriptor::CPPTYPE_INT32:
      reflection->SetInt32(&message, &field,
                           static_cast<std::int32_t>(kHostileNumbers.at(
                               static_cast<std::size_t>(Below(kHostileNumbers.size())))));
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      reflection->SetInt64(
          &message, &field,
          kHostileNumbers.at(static_cast<std::size_t>(Below(kHostileNumbers.size()))));
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      reflection->SetBool(&message, &field, OneIn(2));
      break;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      Mutate(*reflection->MutableMessage(&message, &field));
      break;
    default:
      break;
  }
}

void Mutator::Mutate(Message& message) {
  const auto* descriptor = message.GetDescriptor();
  if (descriptor->field_count() == 0) return;
  for (int changes = 1 + Below(3); changes > 0; --changes) {
    MutateField(message, *descriptor->field(Below(descriptor->field_count())));
  }
}

void Mutator::MutateWire(std::string& wire) {
  if (wire.empty()) {
    wire.push_back(static_cast<char>(Below(256)));
    return;
  }
  const auto position = static_cast<std::size_t>(Below(static_cast<int>(wire.size())));
  switch (Below(4)) {
    case 0:
      wire[position] ^= static_cast<char>(1 << Below(8));
      break;
    case 1:
      wire.resize(position);
      break;
    case 2:
      wire.append(wire.substr(position));
      break;
    default:
      // The first byte is a tag: its low three bits are the wire type.
      wire[0] = static_cast<char>((wire[0] & ~7) | Below(8));
  }
}

}  // namespace countersign::fuzz
