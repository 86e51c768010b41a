#pragma once
/// DATA as the program reads it where it is ratings: which columns are user, item and rating, and which rows validate.

#include <kindling/collab.hpp>
#include <kindling/core/listener.hpp>

#include "cli/command.hpp"
#include "cli/flag_settings.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kindling::cli {

struct RatingColumns {
  std::string user, item, rating;
};

/// The columns by their usual names ("userId", "movie_id", "stars" …). Nothing where one is not found.
std::optional<RatingColumns> find_rating_columns(const std::vector<std::string>& names);
/// Whether a file's first line has them. False for what cannot be read: reading it in earnest says why.
bool looks_like_ratings(const std::string& file);

/// The flags that say what is in the table.
struct RatingFlags {
  std::string data;
  std::string user, item, rating;  ///< columns; empty: found by name
  std::string titles, titles_key, title = "title";
  double valid_pct = 0.2;
  std::string encoding = "utf-8";
};

void add_rating_flags(CLI::App& app, RatingFlags& flags);
/// Makes those flags settings of a run.
void note_rating_flags(CLI::App& app, RatingFlags& flags, FlagSettings& settings);

struct NamedRatings {
  Table table;  ///< with titles as items where there are some
  RatingColumns columns;
};

/// Reads, finds the columns, and joins titles; says to the listener what was not found.
NamedRatings read_ratings(const RatingFlags& flags, Listener& listener);

struct RatingSet {
  Table table;  ///< with titles as items where there are some
  RatingColumns columns;
  Splits splits;
};

/// The same with a split. Throws `bad_data` for a table of which nothing can be learnt.
RatingSet read_rating_set(const RatingFlags& flags, const CommonOptions& common, Listener& listener);

/// Lowest and highest rating.
std::pair<double, double> rating_bounds(const RatingSet& set);

}  // namespace kindling::cli
