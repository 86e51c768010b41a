#include <kindling/collab/data.hpp>
#include <kindling/core/error.hpp>
#include <kindling/data/pairs.hpp>
#include <kindling/data/regression.hpp>
#include <kindling/tabular/data.hpp>

#include "collab/all_ratings.hpp"
#include "tabular/memory_loaders.hpp"
#include "tabular/random_rows.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

/// Ratings as codes, in place of the table that they came from: an item is a row with the names that the codes stand
/// for.
class RatingsDataset final : public BatchDataset {
 public:
  RatingsDataset(std::shared_ptr<const TabularEncoder> encoder, torch::Tensor users, torch::Tensor items,
                 torch::Tensor values)
      : encoder_(std::move(encoder)), users_(std::move(users)), items_(std::move(items)), values_(std::move(values)) {}

  std::int64_t size() const override { return values_.size(0); }
  Values raw(std::int64_t index) const override {
    Values one;
    for (const Value& member : batch(std::span(&index, 1))) one.emplace_back(tensor_of(member)[0]);
    return one;
  }
  Value item(std::int64_t index) const override;
  Values batch(std::span<const std::int64_t> places) const override;

 private:
  Table::Column cell(const std::string& column, std::int32_t code) const;

  std::shared_ptr<const TabularEncoder> encoder_;
  torch::Tensor users_, items_, values_;
};

Values RatingsDataset::batch(std::span<const std::int64_t> places) const {
  const auto n = static_cast<std::int64_t>(places.size());
  auto codes = torch::empty({n, 2}, torch::kInt64), values = torch::empty({n});
  const auto *user = users_.const_data_ptr<std::int32_t>(), *item = items_.const_data_ptr<std::int32_t>();
  const auto* value = values_.const_data_ptr<float>();
  auto* to_codes = codes.data_ptr<std::int64_t>();
  auto* to_values = values.data_ptr<float>();
  for (const std::int64_t place : places) {
    *to_codes++ = user[place];
    *to_codes++ = item[place];
    *to_values++ = value[place];
  }
  return {codes, torch::empty({n, 0}), values};
}

Table::Column RatingsDataset::cell(const std::string& column, std::int32_t code) const {
  const CategoryMap& classes = encoder_->classes(column);
  if (code == 0) return Table::Texts{std::nullopt};
  const std::string& name = classes.items().at(static_cast<std::size_t>(code));
  std::int64_t whole = 0;
  if (classes.type() == ColumnType::integer &&
      std::from_chars(name.data(), name.data() + name.size(), whole).ec == std::errc())
    return std::vector<std::int64_t>{whole};
  return std::vector<std::string>{name};
}

Value RatingsDataset::item(std::int64_t index) const {
  const std::string &user = encoder_->cat_names()[0], &item = encoder_->cat_names()[1];
  const double value = values_.const_data_ptr<float>()[index];
  const Table::Columns columns = {{user, cell(user, users_.const_data_ptr<std::int32_t>()[index])},
                                  {item, cell(item, items_.const_data_ptr<std::int32_t>()[index])},
                                  {encoder_->y_names().front(), std::vector<double>{value}}};
  return Row{std::make_shared<const Table>(columns), 0};
}

struct Names {
  std::string user, item, rating;
};

Names names_of(const Table& table, const CollabDataLoadersOptions& o) {
  const auto name = [&](const std::optional<std::string>& given, std::size_t place, const char* what) {
    if (given) {
      table.column(*given);  // throws naming the columns there are
      return *given;
    }
    if (place < table.names().size()) return table.names()[place];
    throw Error(ErrorCode::bad_data, "a table of ratings has three columns: user, item and rating",
                {{"path", table.source()}, {"columns", table.n_columns()}, {"missing", what}},
                "name the columns that it has in user_name, item_name and rating_name");
  };
  return {name(o.user_name, 0, "user"), name(o.item_name, 1, "item"), name(o.rating_name, 2, "rating")};
}

void warn_of_titles(const TitledRatings& titled, const fs::path& titles, Listener& listener) {
  if (titled.untitled_items > 0) {
    listener.message(Level::warning,
                     fmt::format("{} items have no title in {}: their {} ratings keep the item's own name",
                                 titled.untitled_items, titles.string(), titled.untitled_ratings));
  }
  if (titled.shared_titles > 0) {
    listener.message(Level::info, fmt::format("{} titles are those of several items, which become one item each",
                                              titled.shared_titles));
  }
}

void warn_of_unknown(const TabularData& data, Listener& listener) {
  for (const auto& [column, n] : data.unknown()) {
    listener.message(Level::warning,
                     fmt::format("{} ratings have a {} that is missing or not in training: they count as #na#", n,
                                 column));
  }
}

void check_finite(const TabularData& data) {
  const auto wrong = torch::isfinite(data.ys()).logical_not();
  const auto n = wrong.sum().item<std::int64_t>();
  if (n == 0) return;
  const auto row = data.rows()[wrong.nonzero()[0].item<std::int64_t>()].item<std::int64_t>();
  throw Error(ErrorCode::bad_data, "a rating is infinite",
              {{"column", data.encoder().y_names().front()}, {"rows", n}, {"first", data.table().where(row)}},
              "correct the cells, or leave those rows out");
}

std::shared_ptr<const Dataset> ratings_of(const TabularData& data, std::int64_t begin, std::int64_t end) {
  const auto codes = [&](std::int64_t column) {
    return data.cats().select(1, column).slice(0, begin, end).to(torch::kInt32).contiguous();
  };
  return std::make_shared<RatingsDataset>(data.shared_encoder(), codes(0), codes(1), data.ys().slice(0, begin, end).clone());
}

}  // namespace

DataLoaders CollabDataLoaders::from_df(const Table& table, const Options& o) {
  const std::shared_ptr<Listener> listener = o.listener ? o.listener : terminal_listener();
  Names names = names_of(table, o);
  Table ratings = table;
  if (!o.titles.empty()) {
    TitledRatings titled = with_titles(table, names.item, read_tabular(o.titles, o.csv),
                                       {.key = o.titles_key, .title = o.title});
    warn_of_titles(titled, o.titles, *listener);
    ratings = std::move(titled.table);
    names.item = o.title;
  }
  const std::int64_t n = table.n_rows();
  Splits splits = o.valid_idx ? IndexSplitter(*o.valid_idx)(Items(static_cast<std::size_t>(n)))
                              : detail::split_rows(n, o.valid_pct, o.seed);
  const TabularData data(ratings.select({names.user, names.item, names.rating}),
                         {.procs = {Categorify()},
                          .cat_names = {names.user, names.item},
                          .y_names = {names.rating},
                          .y_block = RegressionBlock(),
                          .splits = std::move(splits)});
  check_finite(data);
  warn_of_unknown(data, *listener);
  return detail::memory_loaders(ratings_of(data, 0, data.split()), ratings_of(data, data.split(), data.size()),
                                data.shared_encoder(),
                                {.bs = o.bs,
                                 .val_bs = o.val_bs,
                                 .shuffle = o.shuffle,
                                 .replacement = o.replacement,
                                 .seed = o.seed.value_or(42),
                                 .device = o.device});
}

DataLoaders CollabDataLoaders::from_csv(const fs::path& csv, const Options& o) {
  return from_df(read_table(csv, o.csv), o);
}

const TabularEncoder& detail::ratings_encoder(const Pipeline& pipeline) {
  const TabularEncoder& encoder = tabular_encoder(pipeline);
  const bool good = encoder.cat_names().size() == 2 && encoder.cont_names().empty() && encoder.y_names().size() == 1 &&
                    encoder.target() == TargetKind::number;
  if (good) return encoder;
  throw Error(ErrorCode::usage, "these loaders do not give ratings",
              {{"classes", encoder.cat_names().size()},
               {"numbers", encoder.cont_names().size()},
               {"targets", encoder.y_names().size()}},
              "make them with CollabDataLoaders");
}

detail::AllRatings detail::all_ratings(const DataLoaders& dls) {
  ratings_encoder(dls.pipeline());
  std::vector<torch::Tensor> users, items, values;
  for (const DataLoader* dl : {&dls.train(), &dls.valid()}) {
    for (const Batch& batch : dl->with({.bs = 1 << 18, .num_workers = 0})) {
      users.push_back(batch.x.at(0).select(1, 0).to(torch::kInt32));
      items.push_back(batch.x.at(0).select(1, 1).to(torch::kInt32));
      values.push_back(batch.y.at(0).flatten());
    }
  }
  return {torch::cat(users), torch::cat(items), torch::cat(values)};
}

RatingCounts rating_counts(const DataLoaders& dls) {
  const TabularEncoder& encoder = detail::ratings_encoder(dls.pipeline());
  const auto all = detail::all_ratings(dls);
  const std::int64_t n_items = encoder.classes(encoder.cat_names()[1]).size();
  const auto pairs = std::get<0>((all.users.to(torch::kInt64) * n_items + all.items).sort());
  // Who is not known is not the same user twice.
  const auto known = (pairs >= n_items).logical_and(pairs % n_items > 0);
  const auto count = [](const torch::Tensor& which) { return which.sum().item<std::int64_t>(); };
  return {.train = dls.train().n(),
          .valid = dls.valid().n(),
          .users = encoder.classes(encoder.cat_names()[0]).size() - 1,
          .items = n_items - 1,
          .unknown_users = count(all.users == 0),
          .unknown_items = count(all.items == 0),
          .repeated = count((pairs.diff() == 0).logical_and(known.slice(0, 1))),
          .low = all.values.min().item<double>(),
          .high = all.values.max().item<double>(),
          .mean = all.values.mean(torch::kFloat64).item<double>()};
}

std::string RatingCounts::to_string() const {
  const double pairs = static_cast<double>(users) * static_cast<double>(items);
  const double part = pairs > 0 ? static_cast<double>(train + valid) / pairs : 0;
  std::string text = fmt::format("{} ratings ({} train, {} validate) of {} items by {} users: {:.2f} % of all pairs\n",
                                 train + valid, train, valid, items, users, 100 * part);
  text += fmt::format("from {:g} to {:g}, mean {:.3f}\n", low, high, mean);
  if (unknown_users > 0)
    text += fmt::format("{} have a user that is missing or not in training (#na#)\n", unknown_users);
  if (unknown_items > 0)
    text += fmt::format("{} have an item that is missing or not in training (#na#)\n", unknown_items);
  if (repeated > 0) text += fmt::format("{} are of an item that their user has rated before\n", repeated);
  return text;
}

}  // namespace kindling
