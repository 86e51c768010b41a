#include <kindling/core/error.hpp>
#include <kindling/data/categories.hpp>

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

constexpr const char* na = "#na#";

std::string list_some(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < 8; ++i) text += (i ? ", '" : "'") + names[i] + "'";
  if (names.size() > 8) text += ", … (" + std::to_string(names.size()) + " in all)";
  return text;
}

/// A number as the name of a class: whole ones without a point.
std::string class_name(const Number& number) {
  return fmt::format("{}", number.value);
}

std::int64_t place_of(const std::string& name, const std::vector<std::string>& vocab) {
  const auto found = std::find(vocab.begin(), vocab.end(), name);
  return found == vocab.end() ? -1 : found - vocab.begin();
}

const std::string& name_at(std::int64_t index, const std::vector<std::string>& vocab) {
  if (index >= 0 && index < static_cast<std::int64_t>(vocab.size())) return vocab[index];
  throw Error(ErrorCode::usage, "a class index lies outside the vocabulary",
              {{"index", index}, {"classes", vocab.size()}});
}

[[noreturn]] void fail_empty() {
  throw Error(ErrorCode::bad_data, "the label is empty", {}, "give the item a label, or leave it out");
}

[[noreturn]] void fail_unknown(const std::vector<std::string>& unknown, const std::vector<std::string>& vocab) {
  const bool one = unknown.size() == 1;
  throw Error(ErrorCode::bad_data,
              fmt::format("{} not included in the training data",
                          one ? "label '" + unknown[0] + "' was" : "labels " + list_some(unknown) + " were"),
              {{"known labels", list_some(vocab)}},
              "give every class at least one training photo, or remove this item" + did_you_mean(unknown[0], vocab));
}

std::vector<std::int64_t> places_above_half(const torch::Tensor& one_hot) {
  const auto values = one_hot.to(torch::kCPU, torch::kFloat32).contiguous();
  const auto* begin = values.const_data_ptr<float>();
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    if (begin[i] > 0.5f) places.push_back(i);
  }
  return places;
}

}  // namespace

Categorize::Categorize(CategorizeOptions options) : options_(std::move(options)) {
  if (!options_.vocab.empty()) setup({});
}

void Categorize::setup(const std::vector<Value>& train_items) {
  std::vector<std::string> names = options_.vocab;
  const bool learn = names.empty();
  std::set<std::string> seen;
  std::set<double> numbers;
  for (std::size_t i = 0; learn && i < train_items.size(); ++i) {
    const Value& item = train_items[i];
    if (const auto* number = std::get_if<Number>(&item)) {
      numbers.insert(number->value);
    } else if (const auto* label = std::get_if<Category>(&item)) {
      if (!label->name.empty() && seen.insert(label->name).second) names.push_back(label->name);
    } else if (!std::holds_alternative<std::monostate>(item)) {
      throw Error(ErrorCode::bad_data, "a label is expected, and this is none", {{"value", describe(item)}},
                  "let get_y give text for a CategoryBlock");
    }
  }
  if (options_.sort) std::sort(names.begin(), names.end());
  std::vector<std::string> sorted_numbers;
  for (double number : numbers) {
    if (seen.count(class_name({number})) == 0) sorted_numbers.push_back(class_name({number}));
  }
  names.insert(names.begin(), sorted_numbers.begin(), sorted_numbers.end());
  if (options_.add_na) names.insert(names.begin(), na);
  vocab_ = std::move(names);
}

CategoryIndex Categorize::encodes(const Category& label) const {
  if (label.name.empty()) return encodes(std::monostate{});
  const std::int64_t place = place_of(label.name, vocab_);
  if (place >= 0) return {place};
  if (options_.add_na) return {0};
  fail_unknown({label.name}, vocab_);
}

CategoryIndex Categorize::encodes(const Number& label) const {
  return encodes(Category{class_name(label)});
}

CategoryIndex Categorize::encodes(std::monostate) const {
  if (options_.add_na) return {0};
  fail_empty();
}

Category Categorize::decodes(const CategoryIndex& index) const {
  return {name_at(index.index, vocab_)};
}

Json Categorize::to_json() const {
  return {{"vocab", vocab_}, {"add_na", options_.add_na}};
}

Categorize Categorize::from_json(const Json& json) {
  Categorize c;
  c.options_.add_na = json.value("add_na", false);
  c.options_.sort = false;
  c.vocab_ = json.at("vocab").get<std::vector<std::string>>();
  return c;
}

MultiCategorize::MultiCategorize(MultiCategorizeOptions options) : options_(std::move(options)) {
  if (!options_.vocab.empty()) setup({});
}

void MultiCategorize::setup(const std::vector<Value>& train_items) {
  std::vector<std::string> names = options_.vocab;
  if (names.empty()) {
    std::set<std::string> seen;
    for (const Value& item : train_items) {
      if (const auto* label = std::get_if<Category>(&item)) {
        seen.insert(label->name);
      } else if (const auto* labels = std::get_if<Categories>(&item)) {
        seen.insert(labels->names.begin(), labels->names.end());
      } else {
        throw Error(ErrorCode::bad_data, "labels are expected, and these are none", {{"value", describe(item)}},
                    "let get_y give a list of texts for this block, e.g. ColReader(\"labels\", {.label_delim = \" \"})");
      }
    }
    seen.erase("");
    names.assign(seen.begin(), seen.end());
  }
  if (options_.add_na) names.insert(names.begin(), na);
  vocab_ = std::move(names);
}

CategoryIndices MultiCategorize::encodes(const Categories& labels) const {
  CategoryIndices indices;
  std::vector<std::string> unknown;
  for (const std::string& label : labels.names) {
    if (label.empty()) fail_empty();
    const std::int64_t place = place_of(label, vocab_);
    if (place < 0) unknown.push_back(label);
    indices.indices.push_back(std::max<std::int64_t>(place, 0));
  }
  if (!unknown.empty() && !options_.add_na) fail_unknown(unknown, vocab_);
  return indices;
}

Categories MultiCategorize::decodes(const CategoryIndices& indices) const {
  Categories labels;
  for (std::int64_t index : indices.indices) labels.names.push_back(name_at(index, vocab_));
  return labels;
}

Categories MultiCategorize::decodes(const TensorMultiCategory& indices) const {
  const auto values = indices.tensor.to(torch::kCPU, torch::kInt64).contiguous();
  const auto* begin = values.const_data_ptr<std::int64_t>();
  return decodes(CategoryIndices{{begin, begin + values.numel()}});
}

Json MultiCategorize::to_json() const {
  return {{"vocab", vocab_}, {"add_na", options_.add_na}};
}

MultiCategorize MultiCategorize::from_json(const Json& json) {
  MultiCategorize m;
  m.options_.add_na = json.value("add_na", false);
  m.vocab_ = json.at("vocab").get<std::vector<std::string>>();
  return m;
}

void OneHotEncode::setup(const std::vector<Value>& train_items) {
  if (c_ > 0) return;
  for (const Value& item : train_items) {
    const auto* indices = std::get_if<CategoryIndices>(&item);
    if (!indices) continue;
    for (std::int64_t index : indices->indices) c_ = std::max(c_, static_cast<int>(index) + 1);
  }
  if (c_ == 0) {
    throw Error(ErrorCode::bad_data, "no training item has a label", {{"items", train_items.size()}},
                "check the labels' column and the delimiter between them");
  }
}

TensorMultiCategory OneHotEncode::encodes(const CategoryIndices& indices) const {
  auto one_hot = torch::zeros({c_});
  auto* values = one_hot.data_ptr<float>();
  for (std::int64_t index : indices.indices) {
    if (index < 0 || index >= c_)
      throw Error(ErrorCode::usage, "a class index lies outside of the ones and zeros", {{"index", index}, {"c", c_}});
    values[index] = 1;
  }
  return {one_hot};
}

CategoryIndices OneHotEncode::decodes(const TensorMultiCategory& one_hot) const {
  return {places_above_half(one_hot.tensor)};
}

EncodedMultiCategorize::EncodedMultiCategorize(std::vector<std::string> vocab) : vocab_(std::move(vocab)) {
  if (vocab_.empty()) {
    throw Error(ErrorCode::usage, "labels that are encoded already need names", {},
                "say .vocab with a name for each place");
  }
}

TensorMultiCategory EncodedMultiCategorize::encodes(const Numbers& one_hot) const {
  if (one_hot.values.size() != vocab_.size()) {
    throw Error(ErrorCode::bad_data, "there must be a one or a zero for each class",
                {{"numbers", one_hot.values.size()}, {"classes", vocab_.size()}});
  }
  for (std::size_t i = 0; i < vocab_.size(); ++i) {
    if (one_hot.values[i] == 0 || one_hot.values[i] == 1) continue;
    throw Error(ErrorCode::bad_data, "an encoded label is 0 or 1",
                {{"class", vocab_[i]}, {"got", fmt::format("{}", one_hot.values[i])}});
  }
  return {torch::tensor(one_hot.values, torch::kFloat64).to(torch::kFloat32)};
}

Categories EncodedMultiCategorize::decodes(const TensorMultiCategory& one_hot) const {
  Categories labels;
  for (std::int64_t place : places_above_half(one_hot.tensor)) labels.names.push_back(name_at(place, vocab_));
  return labels;
}

EncodedMultiCategorize EncodedMultiCategorize::from_json(const Json& json) {
  return EncodedMultiCategorize(json.at("vocab").get<std::vector<std::string>>());
}

}  // namespace kindling
