#include <kindling/data/items.hpp>
#include <kindling/data/table.hpp>

#include <cstdlib>
#include <memory>

#include <cxxabi.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>

namespace kindling {

namespace {

template <class Kind>
concept HoldsTensor = requires { requires std::same_as<decltype(Kind::tensor), torch::Tensor>; };

std::string shape_of(const torch::Tensor& t) {
  if (!t.defined()) return "undefined";
  return fmt::format("[{}] {}", fmt::join(t.sizes(), ", "), c10::toString(t.scalar_type()));
}

std::string plural(std::size_t n, const char* one, const char* many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

/// A type as it is written in a program.
std::string type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : type.name();
}

struct Describe {
  std::string operator()(std::monostate) const { return "nothing"; }
  std::string operator()(const fs::path& p) const { return fmt::format("path '{}'", p.string()); }
  std::string operator()(const Bytes& b) const { return fmt::format("{} bytes", b.size()); }
  std::string operator()(const Image& i) const {
    return fmt::format("Image {}x{}x{}", i.width(), i.height(), i.channels());
  }
  std::string operator()(const Mask& m) const {
    return fmt::format("Mask {}x{}", m.image.width(), m.image.height());
  }
  std::string operator()(const Category& c) const { return fmt::format("Category '{}'", c.name); }
  std::string operator()(const CategoryIndex& c) const { return fmt::format("CategoryIndex {}", c.index); }
  std::string operator()(const Categories& c) const {
    return fmt::format("Categories '{}'", fmt::join(c.names, "', '"));
  }
  std::string operator()(const CategoryIndices& c) const {
    return fmt::format("CategoryIndices {}", fmt::join(c.indices, ", "));
  }
  std::string operator()(const Number& n) const { return fmt::format("Number {}", n.value); }
  std::string operator()(const Numbers& n) const { return fmt::format("Numbers {}", fmt::join(n.values, ", ")); }
  std::string operator()(const Text& t) const {
    return t.text.size() > 60 ? fmt::format("Text of {} bytes", t.text.size()) : fmt::format("Text '{}'", t.text);
  }
  std::string operator()(const Points& p) const { return plural(p.points.size(), "point", "points"); }
  std::string operator()(const BBoxes& b) const { return plural(b.boxes.size(), "box", "boxes"); }
  std::string operator()(const Row& r) const {
    return r.table ? r.table->where(r.index) : fmt::format("row {}", r.index);
  }
  std::string operator()(const torch::Tensor& t) const { return "Tensor " + shape_of(t); }
  std::string operator()(const UserValue& u) const {
    const auto* values = std::any_cast<std::vector<Value>>(&u.value);
    if (!values) return type_name(u.value.type());
    std::vector<std::string> texts;
    for (const Value& value : *values) texts.push_back(describe(value));
    return fmt::format("({})", fmt::join(texts, ", "));
  }
  template <HoldsTensor Kind>
  std::string operator()(const Kind& kind) const {
    return fmt::format("{} {}", kind_of(Value(kind)), shape_of(kind.tensor));
  }
};

}  // namespace

std::string_view kind_of(const Value& value) {
  static constexpr std::string_view names[] = {
      "nothing",    "path",        "bytes",      "Image",          "Mask",                "Category",
      "CategoryIndex", "Categories", "CategoryIndices", "Number",  "Numbers",             "Text",
      "Points",     "BBoxes",      "Row",        "Tensor",         "TensorImage",         "TensorMask",
      "TensorPoint", "TensorBBox", "TensorCategory", "TensorMultiCategory", "UserValue"};
  static_assert(std::size(names) == std::variant_size_v<Value>);
  return names[value.index()];
}

std::string describe(const Value& value) {
  return std::visit(Describe{}, value);
}

torch::Tensor tensor_of(const Value& value) {
  return std::visit(
      []<class Kind>(const Kind& kind) -> torch::Tensor {
        if constexpr (std::same_as<Kind, torch::Tensor>)
          return kind;
        else if constexpr (HoldsTensor<Kind>)
          return kind.tensor;
        else
          return {};
      },
      value);
}

Value with_tensor(const Value& value, torch::Tensor tensor) {
  return std::visit(
      [&]<class Kind>(const Kind& kind) -> Value {
        if constexpr (std::same_as<Kind, torch::Tensor>)
          return tensor;
        else if constexpr (HoldsTensor<Kind>)
          return Kind{std::move(tensor)};
        else
          return kind;
      },
      value);
}

}  // namespace kindling
