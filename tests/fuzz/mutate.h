#pragma once
// Field-aware mutation: a request stays a request of its type, but what is in its fields becomes
// what a hostile or broken client would put there.
#include <google/protobuf/message.h>

#include <random>
#include <string>

namespace countersign::fuzz {

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : chance_(seed) {}

  // Changes one to three fields, of nested messages too.
  void Mutate(google::protobuf::Message& message);
  // Damages the wire form: flips, cuts or repeats bytes, or changes a field's wire type.
  void MutateWire(std::string& wire);

  [[nodiscard]] bool OneIn(int n) { return Below(n) == 0; }
  [[nodiscard]] int Below(int bound) {
    return std::uniform_int_distribution<int>(0, bound - 1)(chance_);
  }

 private:
  void MutateField(google::protobuf::Message& message,
                   const google::protobuf::FieldDescriptor& field);
  [[nodiscard]] std::string MutateText(const std::string& text);

  std::mt19937_64 chance_;
};

}  // namespace countersign::fuzz
