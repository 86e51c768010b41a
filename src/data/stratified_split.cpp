#include "data/stratified_split.hpp"

#include <kindling/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace kindling::detail {

namespace {

using Counts = std::vector<std::int64_t>;

/// How many of each class make `n_draws` in all, as near to their parts as whole numbers come; which classes are rounded
/// up is drawn. (scikit-learn `_approximate_mode`)
Counts approximate_mode(const Counts& class_counts, std::int64_t n_draws, NumpyRandom& random) {
  const auto total = static_cast<double>(std::accumulate(class_counts.begin(), class_counts.end(), std::int64_t{0}));
  Counts floored;
  std::vector<double> remainders;
  for (std::int64_t count : class_counts) {
    const double continuous = static_cast<double>(count) / total * static_cast<double>(n_draws);
    floored.push_back(static_cast<std::int64_t>(std::floor(continuous)));
    remainders.push_back(continuous - std::floor(continuous));
  }
  std::int64_t to_add = n_draws - std::accumulate(floored.begin(), floored.end(), std::int64_t{0});
  std::vector<double> values = remainders;
  std::sort(values.begin(), values.end(), std::greater<>());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  for (std::size_t v = 0; v < values.size() && to_add > 0; ++v) {
    Counts places;
    for (std::size_t c = 0; c < remainders.size(); ++c) {
      if (remainders[c] == values[v]) places.push_back(static_cast<std::int64_t>(c));
    }
    const auto now = std::min(static_cast<std::int64_t>(places.size()), to_add);
    for (std::int64_t c : random.choice(places, now)) ++floored[c];
    to_add -= now;
  }
  return floored;
}

void check_classes(const std::map<std::string, Counts>& members, std::int64_t n_train, std::int64_t n_test) {
  for (const auto& [name, items] : members) {
    if (items.size() > 1) continue;
    throw Error(ErrorCode::bad_data, "a class of one item cannot be on both sides of the split", {{"class", name}},
                "add an item of that class, leave it out, or split without .stratify");
  }
  const auto classes = static_cast<std::int64_t>(members.size());
  if (n_train >= classes && n_test >= classes) return;
  throw Error(ErrorCode::bad_data, "there are more classes than items on one side of the split",
              {{"classes", classes}, {"train", n_train}, {"test", n_test}},
              "make the smaller side larger with .test_size or .train_size");
}

}  // namespace

Splits stratified_split(const std::vector<std::string>& classes, std::int64_t n_train, std::int64_t n_test,
                        NumpyRandom& random) {
  std::map<std::string, Counts> members;
  for (std::size_t i = 0; i < classes.size(); ++i) members[classes[i]].push_back(static_cast<std::int64_t>(i));
  check_classes(members, n_train, n_test);
  Counts counts;
  for (const auto& [name, items] : members) counts.push_back(static_cast<std::int64_t>(items.size()));
  const Counts train_counts = approximate_mode(counts, n_train, random);
  for (std::size_t c = 0; c < counts.size(); ++c) counts[c] -= train_counts[c];
  const Counts test_counts = approximate_mode(counts, n_test, random);
  Splits splits;
  std::size_t c = 0;
  for (const auto& [name, items] : members) {
    const auto order = random.permutation(static_cast<std::int64_t>(items.size()));
    for (std::int64_t i = 0; i < train_counts[c]; ++i) splits.train.push_back(items[order[i]]);
    for (std::int64_t i = 0; i < test_counts[c]; ++i) splits.valid.push_back(items[order[train_counts[c] + i]]);
    ++c;
  }
  random.shuffle(splits.train);
  random.shuffle(splits.valid);
  return splits;
}

}  // namespace kindling::detail
