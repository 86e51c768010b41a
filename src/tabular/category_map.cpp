#include <kindling/core/error.hpp>
#include <kindling/tabular/category_map.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace kindling {

namespace {

constexpr const char* na = "#na#";
/// From here on a double cannot be told from its neighbours.
constexpr double exact = 9007199254740992.0;

std::string python_text(double value) {
  std::string text = fmt::format("{}", value);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::optional<double> parsed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string number_key(double value) {
  if (std::abs(value) < exact && value == std::floor(value)) return std::to_string(static_cast<std::int64_t>(value));
  return fmt::format("{}", value);
}

/// Equal for cells that are the same value of a column of numbers; empty for what is none.
struct NumberKey {
  std::string operator()(std::monostate) const { return ""; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return number_key(value); }
  std::string operator()(bool value) const { return value ? "1" : "0"; }
  std::string operator()(const std::string& text) const {
    if (text == "True" || text == "true" || text == "TRUE") return "1";
    if (text == "False" || text == "false" || text == "FALSE") return "0";
    std::int64_t whole = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
    if (!text.empty() && error == std::errc() && end == text.data() + text.size()) return std::to_string(whole);
    const auto value = parsed(text);
    return value ? number_key(*value) : "";
  }
};

bool is_numeric(ColumnType type) {
  return type == ColumnType::integer || type == ColumnType::number || type == ColumnType::boolean;
}

std::string key_of(ColumnType type, const TableCell& cell) {
  return is_numeric(type) ? std::visit(NumberKey{}, cell) : text_of(cell);
}

bool is_less(const TableCell& a, const TableCell& b) {
  if (a.index() != b.index()) return a.index() < b.index();
  return a < b;
}

Json to_json_cell(const TableCell& cell) {
  return std::visit(
      []<class T>(const T& value) -> Json {
        if constexpr (std::same_as<T, std::monostate>)
          return nullptr;
        else
          return value;
      },
      cell);
}

TableCell from_json_cell(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  return {};
}

ColumnType type_from(const std::string& name) {
  for (ColumnType type : {ColumnType::integer, ColumnType::number, ColumnType::boolean, ColumnType::text,
                          ColumnType::date, ColumnType::other}) {
    if (name == name_of(type)) return type;
  }
  throw Error(ErrorCode::bad_model, "a column has an unknown type", {{"type", name}},
              "the file may come from a newer kindling");
}

}  // namespace

std::string text_of(const TableCell& cell) {
  return std::visit(
      []<class T>(const T& value) -> std::string {
        if constexpr (std::same_as<T, std::string>)
          return value;
        else if constexpr (std::same_as<T, bool>)
          return value ? "True" : "False";
        else if constexpr (std::same_as<T, double>)
          return python_text(value);
        else if constexpr (std::same_as<T, std::int64_t>)
          return std::to_string(value);
        else
          return "";
      },
      cell);
}

CategoryMap::CategoryMap(ColumnType type, std::vector<TableCell> values, bool add_na)
    : type_(type), values_(std::move(values)), add_na_(add_na) {
  std::stable_sort(values_.begin(), values_.end(), is_less);
  if (add_na_) items_.emplace_back(na);
  for (const TableCell& value : values_) {
    codes_.emplace(key_of(type_, value), static_cast<std::int64_t>(items_.size()));
    items_.push_back(text_of(value));
  }
}

std::int64_t CategoryMap::code(const TableCell& cell) const {
  const std::int64_t none = add_na_ ? 0 : -1;
  if (std::holds_alternative<std::monostate>(cell)) return none;
  const auto found = codes_.find(key_of(type_, cell));
  return found == codes_.end() ? none : found->second;
}

Json CategoryMap::to_json() const {
  Json values = Json::array();
  for (const TableCell& value : values_) values.push_back(to_json_cell(value));
  return {{"type", std::string(name_of(type_))}, {"add_na", add_na_}, {"values", std::move(values)}};
}

CategoryMap CategoryMap::from_json(const Json& json) {
  std::vector<TableCell> values;
  for (const Json& value : json.at("values")) values.push_back(from_json_cell(value));
  return {type_from(json.at("type").get<std::string>()), std::move(values), json.at("add_na").get<bool>()};
}

}  // namespace kindling
