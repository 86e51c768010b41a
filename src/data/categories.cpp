#include <kindling/core/error.hpp>
#include <kindling/data/block.hpp>
#include <kindling/data/categories.hpp>

#include <algorithm>

namespace kindling {

namespace {

constexpr const char* na = "#na#";

std::string list_some(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < 8; ++i) text += (i ? ", '" : "'") + names[i] + "'";
  if (names.size() > 8) text += ", … (" + std::to_string(names.size()) + " in all)";
  return text;
}

}  // namespace

Categorize::Categorize(CategorizeOptions options) : options_(std::move(options)) {
  if (!options_.vocab.empty()) setup({});
}

void Categorize::setup(const std::vector<Value>& train_items) {
  std::vector<std::string> names = options_.vocab;
  if (names.empty()) {
    for (const Value& item : train_items) {
      auto* label = std::get_if<Category>(&item);
      if (!label) {
        throw Error(ErrorCode::bad_data, "a label is expected, and this is none", {{"value", describe(item)}},
                    "let get_y give text for a CategoryBlock");
      }
      if (std::find(names.begin(), names.end(), label->name) == names.end()) names.push_back(label->name);
    }
  }
  if (options_.sort) std::sort(names.begin(), names.end());
  if (options_.add_na) names.insert(names.begin(), na);
  vocab_ = std::move(names);
}

CategoryIndex Categorize::encodes(const Category& label) const {
  auto found = std::find(vocab_.begin(), vocab_.end(), label.name);
  if (found != vocab_.end()) return {found - vocab_.begin()};
  if (options_.add_na) return {0};
  throw Error(
      ErrorCode::bad_data, "label '" + label.name + "' was not included in the training data",
      {{"known labels", list_some(vocab_)}},
      "give every class at least one training photo, or remove this item" + did_you_mean(label.name, vocab_));
}

Category Categorize::decodes(const CategoryIndex& index) const {
  if (index.index < 0 || index.index >= static_cast<std::int64_t>(vocab_.size())) {
    throw Error(ErrorCode::usage, "a class index lies outside the vocabulary",
                {{"index", index.index}, {"classes", vocab_.size()}});
  }
  return {vocab_[index.index]};
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

Block CategoryBlock(CategorizeOptions options) {
  return {.type_tfms = {Categorize(std::move(options))}, .target = TargetKind::category};
}

}  // namespace kindling
