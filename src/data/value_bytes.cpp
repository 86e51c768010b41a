#include "data/value_bytes.hpp"

#include <cstring>
#include <type_traits>

namespace kindling {

namespace {

class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out) {}

  template <class T>
    requires std::is_trivially_copyable_v<T>
  void put(const T& plain) {
    put_bytes(&plain, sizeof(plain));
  }
  void put(const std::string& text) {
    put(static_cast<std::uint64_t>(text.size()));
    put_bytes(text.data(), text.size());
  }
  template <class T>
  void put(const std::vector<T>& list) {
    put(static_cast<std::uint64_t>(list.size()));
    for (const T& element : list) put(element);
  }
  void put(const Image& image) {
    put(image.size());
    put(image.channels());
    if (!image.empty()) put_bytes(image.data(), image.bytes());
  }

  // Kinds of values that have a form as bytes; the others choose the last overload.
  bool value(std::monostate) { return true; }
  bool value(const fs::path& path) { return put(path.string()), true; }
  bool value(const Bytes& bytes) { return put(bytes), true; }
  bool value(const Image& image) { return put(image), true; }
  bool value(const Mask& mask) { return put(mask.image), true; }
  bool value(const Category& c) { return put(c.name), true; }
  bool value(const CategoryIndex& c) { return put(c.index), true; }
  bool value(const Categories& c) { return put(c.names), true; }
  bool value(const CategoryIndices& c) { return put(c.indices), true; }
  bool value(const Number& n) { return put(n.value), true; }
  bool value(const Numbers& n) { return put(n.values), true; }
  bool value(const Text& t) { return put(t.text), true; }
  bool value(const Points& p) { return put(p.points), true; }
  bool value(const BBoxes& b) { return put(b.boxes), true; }
  template <class Other>
  bool value(const Other&) {
    return false;
  }

 private:
  void put_bytes(const void* from, std::size_t n) {
    const auto* bytes = static_cast<const std::uint8_t*>(from);
    out_.insert(out_.end(), bytes, bytes + n);
  }
  Bytes& out_;
};

/// Reads what `Writer` wrote; `ok` turns false at the first thing that cannot be.
class Reader {
 public:
  explicit Reader(const Bytes& bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}
  bool ok = true;
  bool done() const { return at_ == end_; }

  template <class T>
    requires std::is_trivially_copyable_v<T>
  void get(T& plain) {
    get_bytes(&plain, sizeof(plain));
  }
  void get(std::string& text) {
    text.resize(length(1));
    get_bytes(text.data(), text.size());
  }
  template <class T>
  void get(std::vector<T>& list) {
    list.resize(length(std::is_trivially_copyable_v<T> ? sizeof(T) : sizeof(std::uint64_t)));
    for (T& element : list) get(element);
  }
  void get(Image& image) {
    Size size;
    int channels = 0;
    get(size);
    get(channels);
    const auto needed = static_cast<std::uint64_t>(std::max(0, size.width)) * std::max(0, size.height) * 4;
    ok = ok && size.width > 0 && size.height > 0 && channels >= 1 && channels <= 4 &&
         needed / 4 * channels <= left();
    if (!ok) return;
    image = Image(size, channels);
    get_bytes(image.data(), image.bytes());
  }

  void value(std::monostate&) {}
  void value(fs::path& path) {
    std::string text;
    get(text);
    path = text;
  }
  void value(Bytes& bytes) { get(bytes); }
  void value(Image& image) { get(image); }
  void value(Mask& mask) { get(mask.image); }
  void value(Category& c) { get(c.name); }
  void value(CategoryIndex& c) { get(c.index); }
  void value(Categories& c) { get(c.names); }
  void value(CategoryIndices& c) { get(c.indices); }
  void value(Number& n) { get(n.value); }
  void value(Numbers& n) { get(n.values); }
  void value(Text& t) { get(t.text); }
  void value(Points& p) { get(p.points); }
  void value(BBoxes& b) { get(b.boxes); }
  template <class Other>
  void value(Other&) {
    ok = false;
  }

 private:
  std::uint64_t left() const { return static_cast<std::uint64_t>(end_ - at_); }
  /// The length of a list whose elements take at least `each` bytes.
  std::size_t length(std::size_t each) {
    std::uint64_t n = 0;
    get(n);
    if (n > left() / each) ok = false;
    return ok ? static_cast<std::size_t>(n) : 0;
  }
  void get_bytes(void* to, std::size_t n) {
    if (!ok || n > left()) {
      ok = false;
      return;
    }
    if (n > 0) std::memcpy(to, at_, n);
    at_ += n;
  }
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

/// A value of the variant's alternative number `index`.
template <std::size_t... Is>
Value make_kind(std::size_t index, std::index_sequence<Is...>) {
  Value value;
  ((index == Is ? void(value.emplace<Is>()) : void()), ...);
  return value;
}

}  // namespace

bool append_value(Bytes& out, const Value& value) {
  out.push_back(static_cast<std::uint8_t>(value.index()));
  return std::visit([&](const auto& kind) { return Writer(out).value(kind); }, value);
}

std::optional<Values> read_values(const Bytes& bytes) {
  Reader reader(bytes);
  Values values;
  while (!reader.done()) {
    std::uint8_t index = 0;
    reader.get(index);
    if (index >= std::variant_size_v<Value>) return std::nullopt;
    values.push_back(make_kind(index, std::make_index_sequence<std::variant_size_v<Value>>()));
    std::visit([&](auto& kind) { reader.value(kind); }, values.back());
    if (!reader.ok) return std::nullopt;
  }
  return values;
}

}  // namespace kindling
