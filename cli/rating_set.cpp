#include "cli/rating_set.hpp"

#include <kindling/core/error.hpp>

#include "cli/output.hpp"
#include "cli/table_set.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <fstream>
#include <limits>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling::cli {

namespace {

constexpr std::array users = {"user", "users", "customer", "reader", "reviewer", "visitor"};
constexpr std::array items = {"item", "movie", "film", "book", "isbn", "product", "song", "track", "artist", "game", "anime",
                              "recipe", "restaurant", "place", "title"};
constexpr std::array ratings = {"rating", "ratings", "stars", "score"};

/// "userId", "user_id" and "User ID" are "user".
std::string plain_name(const std::string& name) {
  std::string plain;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c))) plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (plain.size() > 2 && plain.ends_with("id")) plain.resize(plain.size() - 2);
  return plain;
}

/// The column with the first of the usual names that there is.
template <std::size_t N>
std::string find_column(const std::vector<std::string>& names, const std::array<const char*, N>& usual) {
  for (const char* wanted : usual) {
    for (const std::string& name : names) {
      if (plain_name(name) == wanted) return name;
    }
  }
  return "";
}

RatingColumns choose_columns(const RatingFlags& flags, const Table& table) {
  RatingColumns c{flags.user, flags.item, flags.rating};
  if (c.user.empty()) c.user = find_column(table.names(), users);
  if (c.item.empty()) c.item = find_column(table.names(), items);
  if (c.rating.empty()) c.rating = find_column(table.names(), ratings);
  const std::pair<const char*, std::string*> parts[] = {{"user", &c.user}, {"item", &c.item}, {"rating", &c.rating}};
  for (const auto& [what, name] : parts) {
    if (name->empty()) {
      throw Error(ErrorCode::usage, fmt::format("which column is the {}?", what),
                  {{"path", flags.data}, {"columns", fmt::format("{}", fmt::join(table.names(), ", "))}},
                  fmt::format("name it with --{}", what));
    }
    table.column(*name);
  }
  return c;
}

void tell_titles(const TitledRatings& titled, Listener& listener) {
  if (titled.untitled_items > 0)
    listener.message(Level::warning, fmt::format("{} without a title ({}) keep their own names",
                                                 count_of(static_cast<std::size_t>(titled.untitled_items), "item", "items"),
                                                 count_of(static_cast<std::size_t>(titled.untitled_ratings), "rating", "ratings")));
  if (titled.shared_titles > 0)
    listener.message(Level::warning,
                     fmt::format("{} of several items: these are one item from now on",
                                 count_of(static_cast<std::size_t>(titled.shared_titles), "title", "titles")));
}

}  // namespace

std::optional<RatingColumns> find_rating_columns(const std::vector<std::string>& names) {
  RatingColumns found{find_column(names, users), find_column(names, items), find_column(names, ratings)};
  if (found.user.empty() || found.item.empty() || found.rating.empty()) return std::nullopt;
  return found;
}

bool looks_like_ratings(const std::string& file) {
  constexpr std::size_t longest_line = 1 << 16;
  std::ifstream in(file, std::ios::binary);
  std::string line(longest_line, '\0');
  in.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<std::size_t>(in.gcount()));
  line.resize(std::min(line.size(), line.find_first_of("\r\n")));
  std::vector<std::string> names(1);
  for (const char c : line) {
    if (std::string_view(",;\t|").find(c) != std::string_view::npos)
      names.emplace_back();
    else if (c != '"')
      names.back() += c;
  }
  return find_rating_columns(names).has_value();
}

void add_rating_flags(CLI::App& app, RatingFlags& f) {
  app.add_option("DATA", f.data, "ratings: CSV, TSV or Parquet with a user, an item and a number in each row")->required();
  app.add_option("--task", "ratings, where the columns' names do not say it")->check(CLI::IsMember({"ratings"}))->type_name("TASK");
  app.add_option("--user", f.user, "the column of users (found by its name)")->type_name("COLUMN");
  app.add_option("--item", f.item, "the column of items (found by its name)")->type_name("COLUMN");
  app.add_option("--rating", f.rating, "the column of ratings (found by its name)")->type_name("COLUMN");
  app.add_option("--titles", f.titles, "a table with a title for each item")->type_name("FILE");
  app.add_option("--titles-key", f.titles_key, "its column of items (named as in DATA)")->type_name("COLUMN");
  app.add_option("--title", f.title, "its column of titles (title)")->type_name("COLUMN");
  app.add_option("--valid-pct", f.valid_pct, "part of the ratings that validates (0.2)")
      ->check(CLI::Range(0.01, 0.9))
      ->type_name("PART");
  app.add_option("--encoding", f.encoding, "utf-8 or latin1 (utf-8)")->check(CLI::IsMember({"utf-8", "latin1"}))->type_name("NAME");
}

void note_rating_flags(CLI::App& app, RatingFlags& f, FlagSettings& settings) {
  settings.add(app.get_option("--user"), "user", f.user);
  settings.add(app.get_option("--item"), "item", f.item);
  settings.add(app.get_option("--rating"), "rating", f.rating);
  settings.add(app.get_option("--titles"), "titles", f.titles);
  settings.add(app.get_option("--titles-key"), "titles_key", f.titles_key);
  settings.add(app.get_option("--title"), "title", f.title);
  settings.add(app.get_option("--valid-pct"), "valid_pct", f.valid_pct);
  settings.add(app.get_option("--encoding"), "encoding", f.encoding);
}

NamedRatings read_ratings(const RatingFlags& flags, Listener& listener) {
  const TableOptions csv{.encoding = flags.encoding};
  const Table all = read_table(flags.data, csv);
  RatingColumns columns = choose_columns(flags, all);
  Table table = all.select({columns.user, columns.item, columns.rating});
  if (!flags.titles.empty()) {
    TitledRatings titled =
        with_titles(table, columns.item, read_table(flags.titles, csv), {.key = flags.titles_key, .title = flags.title});
    tell_titles(titled, listener);
    table = std::move(titled.table);
    columns.item = flags.title;
  }
  return {.table = std::move(table), .columns = std::move(columns)};
}

RatingSet read_rating_set(const RatingFlags& flags, const CommonOptions& common, Listener& listener) {
  auto [table, columns] = read_ratings(flags, listener);
  Splits splits = RandomSplitter(flags.valid_pct, common.seed)(Items(static_cast<std::size_t>(table.n_rows())));
  if (splits.train.empty() || splits.valid.empty()) {
    throw Error(ErrorCode::bad_data, "there are too few ratings for a split", {{"path", flags.data}, {"ratings", table.n_rows()}},
                "use more ratings, or another --valid-pct");
  }
  return {.table = std::move(table), .columns = std::move(columns), .splits = std::move(splits)};
}

std::pair<double, double> rating_bounds(const RatingSet& set) {
  const auto values = set.table.numbers(set.columns.rating);
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const double v : values) {
    if (std::isnan(v)) continue;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  return {low, high};
}

}  // namespace kindling::cli
