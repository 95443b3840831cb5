#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "libs/pg/array.h"
#include "libs/pg/codec.h"

namespace countersign::pg {

// One $n, in text format but for arrays. Borrows from a std::string or an Array, copies everything
// else; lives for one call of Connection::Execute. Throws InvalidText for a text that CheckText
// refuses.
class Param {
 public:
  template <typename T>
  explicit Param(const Array<T>& array)
      : data_(array.Wire().data()), size_(array.Wire().size()), binary_(true) {}
  explicit Param(std::nullptr_t) {}
  explicit Param(const std::string& text) : data_(text.c_str()), size_(text.size()) {
    CheckText(text);
  }
  explicit Param(const char* text) : Param(std::string_view(text)) {}
  template <typename T>
  requires Renderable<T>
  explicit Param(const T& value) {
    Codec<T>::Render(own_, value);
    UseOwn();
  }
  template <typename T>
  requires Renderable<T>
  explicit Param(const std::optional<T>& value) {
    if (!value) return;
    Codec<T>::Render(own_, *value);
    UseOwn();
  }
  Param(const Param&) = delete;
  Param& operator=(const Param&) = delete;

  // Null for NULL, else size() bytes; in text format a C string.
  [[nodiscard]] const char* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool binary() const { return binary_; }

 private:
  void UseOwn() {
    data_ = own_.c_str();
    size_ = own_.size();
  }
  std::string own_;
  const char* data_ = nullptr;
  std::size_t size_ = 0;
  bool binary_ = false;
};

}  // namespace countersign::pg
