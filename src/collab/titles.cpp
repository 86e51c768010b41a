#include <kindling/collab/data.hpp>
#include <kindling/core/error.hpp>
#include <kindling/tabular/category_map.hpp>

#include "data/arrow_table.hpp"
#include "tabular/unique_cells.hpp"

#include <set>

#include <arrow/api.h>

namespace kindling {

namespace {

using detail::UniqueCells;

/// Title by place in `keys`; empty where the item has none.
std::vector<std::string> titles_by_key(const Table& titles, const UniqueCells& keys, const TitleOptions& o) {
  std::vector<std::string> of_key(keys.cells.size());
  const auto texts = titles.texts(o.title);
  const auto* place = keys.places.const_data_ptr<std::int32_t>();
  for (std::size_t row = 0; row < texts.size(); ++row) {
    if (place[row] < 0 || !texts[row]) continue;
    std::string& title = of_key[static_cast<std::size_t>(place[row])];
    if (!title.empty() && title != *texts[row]) {
      throw Error(ErrorCode::bad_data, "an item has two titles",
                  {{"item", text_of(keys.cells[static_cast<std::size_t>(place[row])])},
                   {"title", title},
                   {"other", *texts[row]},
                   {"row", titles.where(static_cast<std::int64_t>(row))}},
                  "leave one line an item in the file of titles");
    }
    title = *texts[row];
  }
  return of_key;
}

void check(const arrow::Status& status, const fs::path& source) {
  if (!status.ok()) throw Error(ErrorCode::limit, "the titles cannot be kept: " + status.message(), {{"path", source}});
}

/// A column of names by the ratings' places, in parts that stay below Arrow's limit for one.
std::shared_ptr<arrow::ChunkedArray> column_of(const torch::Tensor& places, const std::vector<std::string>& names,
                                               const fs::path& source) {
  constexpr std::int64_t part = 1 << 20;
  const auto* place = places.const_data_ptr<std::int32_t>();
  arrow::ArrayVector chunks;
  for (std::int64_t begin = 0; begin == 0 || begin < places.numel(); begin += part) {
    arrow::StringBuilder builder;
    for (std::int64_t i = begin; i < std::min(places.numel(), begin + part); ++i)
      check(place[i] < 0 ? builder.AppendNull() : builder.Append(names[static_cast<std::size_t>(place[i])]), source);
    chunks.push_back(detail::value_of(builder.Finish(), source));
  }
  return std::make_shared<arrow::ChunkedArray>(chunks);
}

}  // namespace

TitledRatings with_titles(const Table& ratings, const std::string& item, const Table& titles,
                           const TitleOptions& given) {
  TitleOptions o = given;
  if (o.key.empty()) o.key = item;
  const int column = ratings.column(item);
  if (o.title != item && ratings.contains(o.title)) {
    throw Error(ErrorCode::bad_data, "the ratings have a column with the name of the titles' already",
                {{"path", ratings.source()}, {"column", o.title}}, "name it as item_name, and leave the titles out");
  }
  const UniqueCells items = detail::unique_cells(ratings, item), keys = detail::unique_cells(titles, o.key);
  const auto title_of = titles_by_key(titles, keys, o);
  // Ordered anew: of a code the title again.
  const CategoryMap map(keys.type, keys.cells, /*add_na=*/false);
  std::vector<std::string> by_code(title_of.size());
  for (std::size_t k = 0; k < keys.cells.size(); ++k)
    by_code[static_cast<std::size_t>(map.code(keys.cells[k]))] = title_of[k];
  TitledRatings titled;
  const auto counts = items.counts();
  std::vector<std::string> names;
  std::set<std::string> seen, shared;
  for (std::size_t i = 0; i < items.cells.size(); ++i) {
    const auto code = map.code(items.cells[i]);
    std::string name = code < 0 ? "" : by_code[static_cast<std::size_t>(code)];
    if (name.empty()) {
      name = text_of(items.cells[i]);
      ++titled.untitled_items;
      titled.untitled_ratings += counts[i];
    } else if (!seen.insert(name).second) {
      shared.insert(name);
    }
    names.push_back(std::move(name));
  }
  titled.shared_titles = static_cast<std::int64_t>(shared.size());
  const fs::path& source = ratings.source();
  const auto cells = column_of(items.places, names, source);
  const auto table = ratings.data().table();
  titled.table = Table(std::make_shared<detail::TableData>(
      detail::value_of(table->SetColumn(column, arrow::field(o.title, cells->type()), cells), source), source,
      ratings.data().first_line()));
  return titled;
}

}  // namespace kindling
