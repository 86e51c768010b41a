#include "cli/output.hpp"
#include "cli/rating_set.hpp"
#include "cli/rating_task.hpp"

#include <algorithm>
#include <map>
#include <memory>

#include <fmt/format.h>

namespace kindling::cli {

namespace {

/// Beyond so many different ratings their counts tell nothing.
constexpr std::size_t most_values = 21;

struct LookRatingsOptions {
  CommonOptions common;
  RatingFlags data;
  int max_n = 5;
};

std::map<double, std::int64_t> counts_of(const RatingSet& set) {
  std::map<double, std::int64_t> counts;
  for (const double value : set.table.numbers(set.columns.rating)) ++counts[value];
  return counts;
}

/// The items that most users have rated.
std::vector<std::pair<std::string, std::int64_t>> most_rated(const Interactions& all, int n) {
  const CompressedRows by_item = all.rows().transposed();
  std::vector<std::pair<std::string, std::int64_t>> list;
  for (std::int64_t i = 0; i < by_item.n_rows(); ++i)
    list.emplace_back(all.items().items().at(static_cast<std::size_t>(i)), static_cast<std::int64_t>(by_item.columns(i).size()));
  const auto shown = std::min(list.size(), static_cast<std::size_t>(n));
  std::partial_sort(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(shown), list.end(),
                    [](const auto& a, const auto& b) { return a.second > b.second; });
  list.resize(shown);
  return list;
}

int look(const LookRatingsOptions& o) {
  apply(o.common);
  const auto listener = o.common.json ? silent_listener() : make_listener(o.common);
  const RatingSet set = read_rating_set(o.data, o.common, *listener);
  const Interactions all = Interactions::from_df(
      set.table, {.user_name = set.columns.user, .item_name = set.columns.item, .rating_name = set.columns.rating});
  const auto counts = counts_of(set);
  const auto top = most_rated(all, o.max_n);
  if (o.common.json) {
    Json items = Json::array();
    for (const auto& [item, n] : top) items.push_back({{"item", item}, {"ratings", n}});
    Json values = Json::array();
    if (counts.size() <= most_values) {
      for (const auto& [value, n] : counts) values.push_back({{"rating", value}, {"count", n}});
    }
    put_json({{"data", o.data.data},
              {"columns", {{"user", set.columns.user}, {"item", set.columns.item}, {"rating", set.columns.rating}}},
              {"ratings", set.table.n_rows()},
              {"users", all.n_users()},
              {"items", all.n_items()},
              {"repeated", all.duplicates()},
              {"counts", values},
              {"most_rated", items}});
    return 0;
  }
  if (o.common.quiet) return 0;
  put(fmt::format("{}: {} ratings\n{}\n\n", safe(o.data.data), set.table.n_rows(), all.summary()));
  if (counts.size() <= most_values) {
    std::vector<std::vector<std::string>> rows = {{safe(set.columns.rating), "count"}};
    for (const auto& [value, n] : counts) rows.push_back({fmt::format("{}", value), fmt::format("{}", n)});
    put(in_columns(rows, {true, true}) + "\n");
  }
  std::vector<std::vector<std::string>> rows = {{"rated by most", "ratings"}};
  for (const auto& [item, n] : top) rows.push_back({safe(item), fmt::format("{}", n)});
  put(in_columns(rows, {false, true}));
  return 0;
}

}  // namespace

Command add_look_ratings(CLI::App& program) {
  auto o = std::make_shared<LookRatingsOptions>();
  CLI::App* app = program.add_subcommand("look", "Look at ratings: users, items, how ratings are spread");
  add_rating_flags(*app, o->data);
  app->add_option("--max-n", o->max_n, "items shown (5)")->check(CLI::Range(1, 1000))->type_name("N");
  add_common_options(*app, o->common);
  app->footer(R"(Examples:
  kindling look ratings.csv --titles movies.csv
  kindling look ratings.csv --json)");
  return {app, [o] { return look(*o); }};
}

}  // namespace kindling::cli
