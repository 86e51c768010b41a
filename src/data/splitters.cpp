#include <kindling/core/error.hpp>
#include <kindling/core/random.hpp>
#include <kindling/data/splitters.hpp>

#include <algorithm>
#include <numeric>
#include <random>
#include <sstream>
#include <unordered_set>

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
