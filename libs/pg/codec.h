#pragma once
// How values of ours look in PostgreSQL's text format, in both directions. Parse throws
// UnexpectedResult, Render throws InvalidText; neither quotes the value in its message.
#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "libs/core/clock.h"
#include "libs/core/hex.h"
#include "libs/core/uuid.h"

namespace countersign::pg {

// Specialised for std::string, std::string_view, bool, integers, double, Bytes, ByteView,
// std::array<std::uint8_t, N>, Uuid, Id<Tag>, Instant and std::chrono durations (parameters only).
template <typename T>
struct Codec;

// Throws InvalidText for NUL or anything that is not UTF-8.
void CheckText(std::string_view text);
void RenderBytea(std::string& out, ByteView bytes);
void RenderUuid(std::string& out, const Uuid& uuid);
// Instant::min() and Instant::max() are PostgreSQL's -infinity and infinity.
void RenderInstant(std::string& out, Instant instant);
[[nodiscard]] Bytes ParseBytea(std::string_view text);
[[nodiscard]] Uuid ParseUuidColumn(std::string_view text);
[[nodiscard]] Instant ParseInstant(std::string_view text);
[[nodiscard]] bool ParseBool(std::string_view text);
[[nodiscard]] double ParseDouble(std::string_view text);
[[noreturn]] void ThrowNotANumber();

template <>
struct Codec<std::string_view> {
  static void Render(std::string& out, std::string_view value) {
    CheckText(value);
    out += value;
  }
  static std::string_view Parse(std::string_view text) { return text; }
};
template <>
struct Codec<std::string> : Codec<std::string_view> {
  static std::string Parse(std::string_view text) { return std::string(text); }
};
template <>
struct Codec<bool> {
  static void Render(std::string& out, bool value) { out += value ? 't' : 'f'; }
  static bool Parse(std::string_view text) { return ParseBool(text); }
};
template <std::integral T>
struct Codec<T> {
  static void Render(std::string& out, T value) {
    char digits[24];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  static T Parse(std::string_view text) {
    T value{};
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (fault != std::errc{} || end != text.data() + text.size()) ThrowNotANumber();
    return value;
  }
};
template <>
struct Codec<double> {
  static void Render(std::string& out, double value) {
    char digits[40];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  static double Parse(std::string_view text) { return ParseDouble(text); }
};
template <>
struct Codec<ByteView> {
  static void Render(std::string& out, ByteView value) { RenderBytea(out, value); }
};
template <>
struct Codec<Bytes> : Codec<ByteView> {
  static Bytes Parse(std::string_view text) { return ParseBytea(text); }
};
template <std::size_t N>
struct Codec<std::array<std::uint8_t, N>> : Codec<ByteView> {};
template <>
struct Codec<Uuid> {
  static void Render(std::string& out, const Uuid& value) { RenderUuid(out, value); }
  static Uuid Parse(std::string_view text) { return ParseUuidColumn(text); }
};
template <typename Tag>
struct Codec<Id<Tag>> {
  static void Render(std::string& out, const Id<Tag>& id) { RenderUuid(out, id.value); }
  static Id<Tag> Parse(std::string_view text) { return {ParseUuidColumn(text)}; }
};
template <>
struct Codec<Instant> {
  static void Render(std::string& out, Instant value) { RenderInstant(out, value); }
  static Instant Parse(std::string_view text) { return ParseInstant(text); }
};
// A parameter of type interval.
template <typename Rep, typename Period>
struct Codec<std::chrono::duration<Rep, Period>> {
  static void Render(std::string& out, std::chrono::duration<Rep, Period> value) {
    Codec<std::int64_t>::Render(
        out, std::chrono::duration_cast<std::chrono::microseconds>(value).count());
    out += " microseconds";
  }
};

template <typename T>
concept Renderable = requires(std::string& out, const T& value) {
  Codec<T>::Render(out, value);
};

}  // namespace countersign::pg
