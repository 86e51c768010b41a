#pragma once
// Protocol Buffers' wire format, as far as writing needs it.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace kindling::detail {

/// A message that grows field by field.
class Message {
 public:
  Message& add_varint(int field, std::uint64_t value) {
    key(field, 0);
    varint(value);
    return *this;
  }
  Message& add_double(int field, double value) { return fixed(field, 1, value); }
  Message& add_float(int field, float value) { return fixed(field, 5, value); }
  /// A string, bytes, or a message within.
  Message& add_bytes(int field, std::string_view bytes) {
    key(field, 2);
    varint(bytes.size());
    text_ += bytes;
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  void key(int field, int type) { varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(type)); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_ += static_cast<char>(value | 0x80);
    text_ += static_cast<char>(value);
  }
  template <class T>
  Message& fixed(int field, int type, T value) {
    key(field, type);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    text_.append(bytes, sizeof value);
    return *this;
  }
  std::string text_;
};

}  // namespace kindling::detail
