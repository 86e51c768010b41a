#include <kindling/core/error.hpp>
#include <kindling/core/random.hpp>
#include <kindling/data/splitters.hpp>

#include "data/stratified_split.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <sstream>
#include <unordered_set>

#include <fmt/format.h>

namespace kindling {

namespace {

void check_fraction(double valid_pct) {
  if (!(valid_pct >= 0 && valid_pct <= 1)) {
    throw Error(ErrorCode::usage, "valid_pct is a part of the data, between 0 and 1",
                {{"valid_pct", std::to_string(valid_pct)}}, "for one fifth say 0.2");
  }
}

const fs::path& path_of(const Value& item) {
  if (auto* path = std::get_if<fs::path>(&item)) return *path;
  throw Error(ErrorCode::usage, "this splitter needs items that are paths", {{"item", describe(item)}});
}

Splits split_where(const Items& items, const std::function<bool(const Value&)>& is_valid) {
  Splits splits;
  for (std::size_t i = 0; i < items.size(); ++i) {
    (is_valid(items[i]) ? splits.valid : splits.train).push_back(static_cast<std::int64_t>(i));
  }
  return splits;
}

/// What a function says an item belongs to, as text.
std::string class_of(const Value& value, const Value& item) {
  if (const auto* category = std::get_if<Category>(&value)) return category->name;
  if (const auto* number = std::get_if<Number>(&value)) return fmt::format("{}", number->value);
  if (const auto* path = std::get_if<fs::path>(&value)) return path->string();
  throw Error(ErrorCode::bad_data, "the split needs a text, a number or a path for each item",
              {{"item", describe(item)}, {"got", describe(value)}});
}

}  // namespace

RandomSplitter::RandomSplitter(double valid_pct, std::optional<std::uint64_t> seed)
    : valid_pct_(valid_pct), seed_(seed) {
  check_fraction(valid_pct);
}

Splits RandomSplitter::operator()(const Items& items) const {
  const auto n = static_cast<std::int64_t>(items.size());
  auto order = torch_randperm(n, seed_ ? *seed_ : std::random_device{}());
  const auto cut = static_cast<std::int64_t>(valid_pct_ * static_cast<double>(n));
  return {{order.begin() + cut, order.end()}, {order.begin(), order.begin() + cut}};
}

GrandparentSplitter::GrandparentSplitter(std::vector<std::string> train_name,
                                         std::vector<std::string> valid_name)
    : train_(std::move(train_name)), valid_(std::move(valid_name)) {}

Splits GrandparentSplitter::operator()(const Items& items) const {
  auto of_names = [&](const std::vector<std::string>& names) {
    std::vector<std::int64_t> found;
    for (const std::string& name : names) {
      for (std::size_t i = 0; i < items.size(); ++i) {
        if (path_of(items[i]).parent_path().parent_path().filename() == name)
          found.push_back(static_cast<std::int64_t>(i));
      }
    }
    return found;
  };
  return {of_names(train_), of_names(valid_)};
}

EndSplitter::EndSplitter(double valid_pct, bool valid_last) : valid_pct_(valid_pct), valid_last_(valid_last) {
  check_fraction(valid_pct);
}

Splits EndSplitter::operator()(const Items& items) const {
  const auto n = static_cast<std::int64_t>(items.size());
  const auto cut = static_cast<std::int64_t>(valid_pct_ * static_cast<double>(n));
  std::vector<std::int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  if (valid_last_) return {{order.begin(), order.end() - cut}, {order.end() - cut, order.end()}};
  return {{order.begin() + cut, order.end()}, {order.begin(), order.begin() + cut}};
}

IndexSplitter::IndexSplitter(std::vector<std::int64_t> valid_idx) : valid_idx_(std::move(valid_idx)) {}

Splits IndexSplitter::operator()(const Items& items) const {
  const auto n = static_cast<std::int64_t>(items.size());
  std::vector<bool> is_valid(items.size());
  for (std::int64_t i : valid_idx_) {
    if (i < 0 || i >= n) {
      throw Error(ErrorCode::usage, "a validation index lies outside the data", {{"index", i}, {"items", n}});
    }
    is_valid[i] = true;
  }
  Splits splits{{}, valid_idx_};
  for (std::int64_t i = 0; i < n; ++i) {
    if (!is_valid[i]) splits.train.push_back(i);
  }
  return splits;
}

Splits FuncSplitter::operator()(const Items& items) const {
  return split_where(items, is_valid_);
}

Splits MaskSplitter::operator()(const Items& items) const {
  if (mask_.size() != items.size()) {
    throw Error(ErrorCode::usage, "the mask of a split is as long as the data",
                {{"mask", mask_.size()}, {"items", items.size()}});
  }
  Splits splits;
  for (std::size_t i = 0; i < items.size(); ++i)
    (mask_[i] ? splits.valid : splits.train).push_back(static_cast<std::int64_t>(i));
  return splits;
}

Splits ColSplitter::operator()(const Items& items) const {
  return split_where(items, [&](const Value& item) {
    const auto* row = std::get_if<Row>(&item);
    if (!row) {
      throw Error(ErrorCode::usage, "a ColSplitter needs items that are rows of a table", {{"item", describe(item)}},
                  "give the table's rows: block.dataloaders(rows_of(table))");
    }
    const Table& table = *row->table;
    if (const auto* value = std::get_if<std::string>(&on_)) return table.text(row->index, column_) == *value;
    if (const auto* number = std::get_if<double>(&on_)) return table.number(row->index, column_) == *number;
    if (const auto* values = std::get_if<std::vector<std::string>>(&on_))
      return std::find(values->begin(), values->end(), table.text(row->index, column_)) != values->end();
    return table.truth(row->index, column_);
  });
}

RandomSubsetSplitter::RandomSubsetSplitter(double train_sz, double valid_sz, std::optional<std::uint64_t> seed)
    : train_sz_(train_sz), valid_sz_(valid_sz), seed_(seed) {
  if (train_sz > 0 && train_sz < 1 && valid_sz > 0 && valid_sz < 1 && train_sz + valid_sz <= 1) return;
  throw Error(ErrorCode::usage, "train_sz and valid_sz are parts of the data that make at most 1 together",
              {{"train_sz", fmt::format("{}", train_sz)}, {"valid_sz", fmt::format("{}", valid_sz)}},
              "e.g. RandomSubsetSplitter(0.4, 0.1)");
}

Splits RandomSubsetSplitter::operator()(const Items& items) const {
  const auto n = static_cast<std::int64_t>(items.size());
  const auto order = torch_randperm(n, seed_ ? *seed_ : std::random_device{}());
  const auto train = static_cast<std::int64_t>(static_cast<double>(n) * train_sz_);
  const auto valid = static_cast<std::int64_t>(static_cast<double>(n) * valid_sz_);
  return {{order.begin(), order.begin() + train}, {order.begin() + train, order.begin() + train + valid}};
}

TrainTestSplitter::TrainTestSplitter(TrainTestSplitterOptions options) : options_(std::move(options)) {
  if (options_.test_size > 0 && options_.train_size.value_or(1) > 0) return;
  throw Error(ErrorCode::usage, "test_size and train_size are larger than 0", {}, "for one fifth say .test_size = 0.2");
}

std::vector<std::string> TrainTestSplitter::classes_of(const Items& items) const {
  std::vector<std::string> classes = options_.stratify_labels;
  if (options_.stratify) {
    for (const Value& item : items) classes.push_back(class_of(options_.stratify(item), item));
  }
  if (classes.size() == items.size()) return classes;
  throw Error(ErrorCode::usage, "there must be a class for each item to split by",
              {{"classes", classes.size()}, {"items", items.size()}});
}

Splits TrainTestSplitter::operator()(const Items& items) const {
  const auto n = static_cast<std::int64_t>(items.size());
  // A part is rounded up for the test items and down for the training items, as scikit-learn does.
  const auto count = [n](double size, bool up) {
    if (size >= 1) return static_cast<std::int64_t>(size);
    return static_cast<std::int64_t>(up ? std::ceil(size * static_cast<double>(n)) : std::floor(size * static_cast<double>(n)));
  };
  const std::int64_t n_test = count(options_.test_size, true);
  const std::int64_t n_train = options_.train_size ? count(*options_.train_size, false) : n - n_test;
  if (n_train < 1 || n_train + n_test > n) {
    throw Error(ErrorCode::usage, "test_size and train_size do not fit the data",
                {{"items", n}, {"test", n_test}, {"train", n_train}}, "use more items, or smaller parts");
  }
  NumpyRandom random(options_.random_state ? *options_.random_state : std::random_device{}());
  const bool stratified = options_.stratify || !options_.stratify_labels.empty();
  if (stratified && options_.shuffle) return detail::stratified_split(classes_of(items), n_train, n_test, random);
  std::vector<std::int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  if (!options_.shuffle)
    return {{order.begin(), order.begin() + n_train}, {order.begin() + n_train, order.begin() + n_train + n_test}};
  random.shuffle(order);
  return {{order.begin() + n_test, order.begin() + n_test + n_train}, {order.begin(), order.begin() + n_test}};
}

GroupSplitter::GroupSplitter(Getter group, double valid_pct, std::optional<std::uint64_t> seed)
    : group_(std::move(group)), valid_pct_(valid_pct), seed_(seed) {
  check_fraction(valid_pct);
  if (!group_) throw Error(ErrorCode::usage, "a GroupSplitter needs a function that gives an item's group");
}

Splits GroupSplitter::operator()(const Items& items) const {
  std::vector<std::string> group_of;
  std::map<std::string, std::int64_t> groups;  // sorted, so that the draw does not depend on the items' order
  for (const Value& item : items) {
    group_of.push_back(class_of(group_(item), item));
    groups.emplace(group_of.back(), 0);
  }
  const auto n = static_cast<std::int64_t>(groups.size());
  if (n < 2 && !items.empty()) {
    throw Error(ErrorCode::bad_data, "there is only one group, which cannot be on both sides",
                {{"group", group_of.front()}, {"items", items.size()}}, "check the function that gives the group");
  }
  std::int64_t place = 0;
  for (auto& [name, at] : groups) at = place++;
  const auto order = torch_randperm(n, seed_ ? *seed_ : std::random_device{}());
  const auto cut = std::max<std::int64_t>(1, static_cast<std::int64_t>(valid_pct_ * static_cast<double>(n)));
  std::vector<bool> validates(groups.size());
  for (std::int64_t i = 0; i < std::min(cut, n); ++i) validates[order[i]] = true;
  Splits splits;
  for (std::size_t i = 0; i < items.size(); ++i)
    (validates[groups.at(group_of[i])] ? splits.valid : splits.train).push_back(static_cast<std::int64_t>(i));
  return splits;
}

FileSplitter::FileSplitter(const fs::path& file) {
  std::istringstream lines(read_text(file));
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) names_.push_back(line);
  }
}

Splits FileSplitter::operator()(const Items& items) const {
  const std::unordered_set<std::string> names(names_.begin(), names_.end());
  return split_where(items,
                     [&](const Value& item) { return names.count(path_of(item).filename().string()) != 0; });
}

}  // namespace kindling
