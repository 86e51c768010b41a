#include <kindling/data/value.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>

namespace kindling {

namespace {

std::string shape_of(const torch::Tensor& t) {
  if (!t.defined()) return "undefined";
  return fmt::format("[{}] {}", fmt::join(t.sizes(), ", "), c10::toString(t.scalar_type()));
}

struct Describe {
  std::string operator()(std::monostate) const { return "nothing"; }
  std::string operator()(const fs::path& p) const { return fmt::format("path '{}'", p.string()); }
  std::string operator()(const Bytes& b) const { return fmt::format("{} bytes", b.size()); }
  std::string operator()(const Image& i) const {
    return fmt::format("Image {}x{}x{}", i.width(), i.height(), i.channels());
  }
  std::string operator()(const Category& c) const { return fmt::format("Category '{}'", c.name); }
  std::string operator()(const CategoryIndex& c) const { return fmt::format("CategoryIndex {}", c.index); }
  std::string operator()(const Number& n) const { return fmt::format("Number {}", n.value); }
  std::string operator()(const Text& t) const { return fmt::format("Text of {} bytes", t.text.size()); }
  std::string operator()(const torch::Tensor& t) const { return "Tensor " + shape_of(t); }
  std::string operator()(const TensorImage& t) const { return "TensorImage " + shape_of(t.tensor); }
  std::string operator()(const TensorCategory& t) const { return "TensorCategory " + shape_of(t.tensor); }
  std::string operator()(const UserValue& u) const {
    return fmt::format("UserValue {}", u.value.type().name());
  }
};

}  // namespace

std::string_view kind_of(const Value& value) {
  static constexpr std::string_view names[] = {"nothing",  "path",          "bytes",          "Image",
                                               "Category", "CategoryIndex", "Number",         "Text",
                                               "Tensor",   "TensorImage",   "TensorCategory", "UserValue"};
  static_assert(std::size(names) == std::variant_size_v<Value>);
  return names[value.index()];
}

std::string describe(const Value& value) {
  return std::visit(Describe{}, value);
}

torch::Tensor tensor_of(const Value& value) {
  if (auto* t = std::get_if<torch::Tensor>(&value)) return *t;
  if (auto* t = std::get_if<TensorImage>(&value)) return t->tensor;
  if (auto* t = std::get_if<TensorCategory>(&value)) return t->tensor;
  return {};
}

}  // namespace kindling
