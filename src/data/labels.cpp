#include <kindling/core/error.hpp>
#include <kindling/data/labels.hpp>

#include <regex>

namespace kindling {

namespace {

/// An empty text has no label (fastai's rule); between delimiters there may be an empty one, which is found later.
Categories split_labels(const std::string& text, const std::string& delimiter) {
  Categories labels;
  if (text.empty()) return labels;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find(delimiter, begin)) != std::string::npos; begin = end + delimiter.size())
    labels.names.push_back(text.substr(begin, end - begin));
  labels.names.push_back(text.substr(begin));
  return labels;
}

}  // namespace

struct RegexLabeller::Compiled {
  std::string pattern;
  std::regex regex;
  bool match;
};

RegexLabeller::RegexLabeller(const std::string& pattern, bool match) {
  try {
    compiled_ = std::make_shared<const Compiled>(Compiled{pattern, std::regex(pattern), match});
  } catch (const std::regex_error& e) {
    throw Error(ErrorCode::usage, "the label pattern is not a regular expression",
                {{"pattern", pattern}, {"detail", e.what()}},
                "the label is the first group: '(.+)_\\d+.jpg$'");
  }
  if (compiled_->regex.mark_count() == 0) {
    throw Error(ErrorCode::usage, "the label pattern has no group", {{"pattern", pattern}},
                "put the part that is the label in brackets: '(.+)_\\d+.jpg$'");
  }
}

std::string RegexLabeller::operator()(const fs::path& path) const {
  return (*this)(path.generic_string());
}

std::string RegexLabeller::operator()(const std::string& text) const {
  std::smatch groups;
  auto flags =
      compiled_->match ? std::regex_constants::match_continuous : std::regex_constants::match_default;
  if (!std::regex_search(text, groups, compiled_->regex, flags)) {
    throw Error(ErrorCode::bad_data, "failed to find the label pattern in this name",
                {{"pattern", compiled_->pattern}, {"name", text}},
                "change the pattern so that it fits every file, or leave this file out");
  }
  return groups[1].str();
}

void detail::fail_kind(const Value& item) {
  throw Error(ErrorCode::usage, "this function does not take items of this kind", {{"item", describe(item)}},
              "let it take the kind that get_items gives: a path, a Row, or a struct of your own");
}

Value Getter::operator()(const Value& item) const {
  try {
    return get_(item);
  } catch (Error& e) {
    throw e.with({"item", describe(item)});
  } catch (const std::exception& e) {
    throw Error(ErrorCode::bad_data, std::string("the label function failed: ") + e.what(),
                {{"item", describe(item)}},
                "make the function give a label for this item, or leave the item out");
  }
}

ColPrefix::ColPrefix(const fs::path& folder) : text_(folder.empty() ? "" : (folder / "").string()) {}

ColReader::ColReader(ColumnRefs columns, ColReaderOptions options)
    : columns_(columns.list()), options_(std::move(options)) {
  if (columns_.empty()) throw Error(ErrorCode::usage, "a ColReader needs a column");
  const bool plain = options_.pref.text().empty() && options_.suff.empty() && options_.label_delim.empty();
  if (columns_.size() > 1 && !plain) {
    throw Error(ErrorCode::usage, "pref, suff and label_delim are for a ColReader of one column",
                {{"columns", columns_.size()}});
  }
}

Value ColReader::operator()(const Row& row) const {
  return columns_.size() == 1 ? one(row) : several(row);
}

Value ColReader::one(const Row& row) const {
  const Table& table = *row.table;
  const int column = table.column(columns_.front());
  const bool missing = table.is_null(row.index, column);
  if (!options_.label_delim.empty()) return split_labels(table.text(row.index, column), options_.label_delim);
  if (missing) return std::monostate{};
  if (!options_.pref.text().empty() || !options_.suff.empty())
    return fs::path(options_.pref.text() + table.text(row.index, column) + options_.suff);
  const ColumnType type = table.type(column);
  if (type == ColumnType::integer || type == ColumnType::number) return Number{table.number(row.index, column)};
  return Category{table.text(row.index, column)};
}

Value ColReader::several(const Row& row) const {
  const Table& table = *row.table;
  Numbers numbers;
  Categories names;
  for (const ColumnRef& ref : columns_) {
    const int column = table.column(ref);
    const ColumnType type = table.type(column);
    if (table.is_null(row.index, column)) {
      throw Error(ErrorCode::bad_data, "a cell is empty", {{"row", table.where(row.index)}, {"column", table.names()[column]}},
                  "fill it, or leave the row out");
    }
    names.names.push_back(table.text(row.index, column));
    if (type == ColumnType::integer || type == ColumnType::number || type == ColumnType::boolean)
      numbers.values.push_back(table.number(row.index, column));
  }
  if (numbers.values.size() == columns_.size()) return numbers;
  return names;
}

Value ItemGetter::operator()(const Value& item) const {
  const auto i = static_cast<std::size_t>(i_);
  if (const auto* values = values_in(item); values && i < values->size()) return (*values)[i];
  if (const auto* names = std::get_if<Categories>(&item); names && i < names->names.size())
    return Category{names->names[i]};
  if (const auto* numbers = std::get_if<Numbers>(&item); numbers && i < numbers->values.size())
    return Number{numbers->values[i]};
  if (const auto* row = std::get_if<Row>(&item)) return ColReader(i_)(*row);
  throw Error(ErrorCode::usage, "the item has no such value", {{"place", i_}, {"item", describe(item)}},
              "an ItemGetter takes a value out of an item that has several, counted from 0");
}

}  // namespace kindling
