#include <kindling/core/error.hpp>
#include <kindling/tabular/dates.hpp>

#include "tabular/unique_cells.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>

#include <torch/types.h>

namespace kindling {

namespace {

namespace ch = std::chrono;

struct Moment {
  ch::year_month_day date;
  int hour = 0, minute = 0, second = 0;
  std::int64_t seconds() const {
    return ch::sys_days(date).time_since_epoch().count() * std::int64_t{86400} + hour * 3600 + minute * 60 + second;
  }
};

/// Reads digits off the front of a text.
class Digits {
 public:
  explicit Digits(std::string_view text) : text_(text) {}
  std::optional<int> number() {
    int value = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0 || text_.front() == '-') return std::nullopt;
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    return value;
  }
  bool skip(std::string_view any) {
    if (text_.empty() || any.find(text_.front()) == std::string_view::npos) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool at_end() const { return text_.empty(); }
  void drop_rest() { text_ = {}; }

 private:
  std::string_view text_;
};

std::optional<ch::year_month_day> parse_date(Digits& text) {
  const auto a = text.number();
  const bool slashes = text.skip("/");
  if (!a || (!slashes && !text.skip("-"))) return std::nullopt;
  const auto b = text.number();
  if (!b || !text.skip(slashes ? "/" : "-")) return std::nullopt;
  const auto c = text.number();
  if (!c) return std::nullopt;
  // With slashes the month comes first, as pandas reads it, unless the year does.
  const bool year_first = !slashes || *a > 31;
  const int year = year_first ? *a : *c, month = year_first ? *b : *a, day = year_first ? *c : *b;
  const ch::year_month_day date{ch::year(year), ch::month(static_cast<unsigned>(month)),
                                ch::day(static_cast<unsigned>(day))};
  return date.ok() ? std::optional(date) : std::nullopt;
}

/// "2011-11-01", with a time behind a blank or a T, or "11/1/2011".
std::optional<Moment> parse_moment(std::string_view cell) {
  Digits text(cell);
  const auto date = parse_date(text);
  if (!date) return std::nullopt;
  Moment moment{*date};
  if (text.at_end()) return moment;
  if (!text.skip("T ")) return std::nullopt;
  const auto hour = text.number();
  if (!hour || !text.skip(":")) return std::nullopt;
  const auto minute = text.number();
  if (!minute) return std::nullopt;
  moment.hour = *hour;
  moment.minute = *minute;
  if (text.skip(":")) {
    const auto second = text.number();
    if (!second) return std::nullopt;
    moment.second = *second;
    if (text.skip(".")) text.number();
  }
  text.skip("Z");
  return text.at_end() ? std::optional(moment) : std::nullopt;
}

/// The moments of a column: each different cell is read once.
struct Moments {
  std::vector<Moment> moments;
  torch::Tensor places;
  /// nullptr for a missing one.
  const Moment* at(std::int64_t row) const {
    const auto place = places.const_data_ptr<std::int32_t>()[row];
    return place < 0 ? nullptr : &moments[static_cast<std::size_t>(place)];
  }
};

Moments moments_of(const Table& table, const std::string& field) {
  const auto unique = detail::unique_cells(table, field);
  Moments moments{.places = unique.places};
  const auto* place = unique.places.const_data_ptr<std::int32_t>();
  for (std::size_t i = 0; i < unique.cells.size(); ++i) {
    const auto* text = std::get_if<std::string>(&unique.cells[i]);
    const auto moment = text ? parse_moment(*text) : std::nullopt;
    if (!moment) {
      const auto row = std::find(place, place + unique.places.numel(), static_cast<std::int32_t>(i)) - place;
      throw Error(ErrorCode::bad_data, "a date is expected in this cell",
                  {{"column", field}, {"row", table.where(row)}, {"got", text_of(unique.cells[i])}},
                  "write dates as 2011-11-01, with a time as 2011-11-01 12:30:00");
    }
    moments.moments.push_back(*moment);
  }
  return moments;
}

/// ISO 8601: the week with the year's first Thursday is 1.
int iso_week(const ch::year_month_day& date) {
  const ch::sys_days day(date);
  const auto weekday = ch::weekday(day).iso_encoding();
  const ch::sys_days thursday = day + ch::days(4 - static_cast<int>(weekday));
  const ch::year_month_day of_thursday(thursday);
  const ch::sys_days first = ch::sys_days(of_thursday.year() / ch::January / 1);
  return static_cast<int>((thursday - first).count() / 7 + 1);
}

int day_of_year(const ch::year_month_day& date) {
  return static_cast<int>((ch::sys_days(date) - ch::sys_days(date.year() / ch::January / 1)).count() + 1);
}

bool ends_month(const ch::year_month_day& date) {
  return date.day() == ch::year_month_day_last(date.year(), ch::month_day_last(date.month())).day();
}

unsigned month_of(const Moment& m) {
  return static_cast<unsigned>(m.date.month());
}

bool starts_month(const Moment& m) {
  return m.date.day() == ch::day(1);
}

using NumberPart = std::pair<const char*, std::function<int(const Moment&)>>;
using TruthPart = std::pair<const char*, std::function<bool(const Moment&)>>;

const std::vector<NumberPart>& number_parts() {
  static const std::vector<NumberPart> parts = {
      {"Year", [](const Moment& m) { return static_cast<int>(m.date.year()); }},
      {"Month", [](const Moment& m) { return static_cast<int>(month_of(m)); }},
      {"Week", [](const Moment& m) { return iso_week(m.date); }},
      {"Day", [](const Moment& m) { return static_cast<int>(static_cast<unsigned>(m.date.day())); }},
      {"Dayofweek", [](const Moment& m) {
         return static_cast<int>(ch::weekday(ch::sys_days(m.date)).iso_encoding()) - 1;
       }},
      {"Dayofyear", [](const Moment& m) { return day_of_year(m.date); }}};
  return parts;
}

const std::vector<TruthPart>& truth_parts() {
  static const std::vector<TruthPart> parts = {
      {"Is_month_end", [](const Moment& m) { return ends_month(m.date); }},
      {"Is_month_start", starts_month},
      {"Is_quarter_end", [](const Moment& m) { return ends_month(m.date) && month_of(m) % 3 == 0; }},
      {"Is_quarter_start", [](const Moment& m) { return starts_month(m) && month_of(m) % 3 == 1; }},
      {"Is_year_end", [](const Moment& m) { return ends_month(m.date) && month_of(m) == 12; }},
      {"Is_year_start", [](const Moment& m) { return starts_month(m) && month_of(m) == 1; }}};
  return parts;
}

const std::vector<NumberPart>& time_parts() {
  static const std::vector<NumberPart> parts = {{"Hour", [](const Moment& m) { return m.hour; }},
                                                {"Minute", [](const Moment& m) { return m.minute; }},
                                                {"Second", [](const Moment& m) { return m.second; }}};
  return parts;
}

/// Whole numbers, or with missing ones numbers with a point, as pandas has them.
Table::Column number_cells(const Moments& moments, std::int64_t n, const std::function<int(const Moment&)>& part) {
  std::vector<std::int64_t> whole;
  Table::Numbers numbers;
  for (std::int64_t row = 0; row < n; ++row) {
    const Moment* m = moments.at(row);
    whole.push_back(m ? part(*m) : 0);
    numbers.push_back(m ? std::optional<double>(part(*m)) : std::nullopt);
  }
  const bool complete = std::all_of(numbers.begin(), numbers.end(), [](const auto& v) { return v.has_value(); });
  return complete ? Table::Column(std::move(whole)) : Table::Column(std::move(numbers));
}

std::string default_prefix(const std::string& field) {
  const bool dated = field.ends_with("Date") || field.ends_with("date");
  return dated ? field.substr(0, field.size() - 4) : field;
}

/// Days since or until an event, along the rows of one base after the other.
std::vector<std::int64_t> elapsed(const std::vector<std::int64_t>& order, const std::vector<std::int64_t>& group,
                                  const std::vector<std::int64_t>& seconds, const std::vector<bool>& event) {
  std::vector<std::int64_t> days(order.size());
  std::optional<std::int64_t> last;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto row = static_cast<std::size_t>(order[i]);
    if (i == 0 || group[row] != group[static_cast<std::size_t>(order[i - 1])]) last.reset();
    if (event[row]) last = seconds[row];
    days[row] = last ? (seconds[row] - *last) / 86400 : 0;
  }
  return days;
}

/// How often the event was in the seven rows of a base that end at each.
std::vector<double> rolling(const std::vector<std::int64_t>& order, const std::vector<std::int64_t>& group,
                            const std::vector<bool>& event) {
  constexpr std::size_t window = 7;
  std::vector<double> sums(order.size());
  std::size_t begin = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto row = static_cast<std::size_t>(order[i]);
    if (i > 0 && group[row] != group[static_cast<std::size_t>(order[i - 1])]) begin = i;
    for (std::size_t k = std::max(begin, i + 1 >= window ? i + 1 - window : 0); k <= i; ++k)
      sums[row] += event[static_cast<std::size_t>(order[k])] ? 1 : 0;
  }
  return sums;
}

}  // namespace

Table add_datepart(const Table& table, const std::string& field, const DatepartOptions& options) {
  const Moments moments = moments_of(table, field);
  const std::string prefix = options.prefix.value_or(default_prefix(field));
  const std::int64_t n = table.n_rows();
  Table out = table;
  const auto add_numbers = [&](const std::vector<NumberPart>& parts) {
    for (const auto& [name, part] : parts) out = out.with_column(prefix + name, number_cells(moments, n, part));
  };
  add_numbers(number_parts());
  for (const auto& [name, part] : truth_parts()) {
    std::vector<bool> truths;
    for (std::int64_t row = 0; row < n; ++row) truths.push_back(moments.at(row) && part(*moments.at(row)));
    out = out.with_column(prefix + name, truths);
  }
  if (options.time) add_numbers(time_parts());
  std::vector<double> seconds;
  for (std::int64_t row = 0; row < n; ++row) {
    const Moment* m = moments.at(row);
    seconds.push_back(m ? static_cast<double>(m->seconds()) : std::numeric_limits<double>::quiet_NaN());
  }
  out = out.with_column(prefix + "Elapsed", seconds);
  if (!options.drop) return out;
  std::vector<ColumnRef> kept;
  for (const std::string& name : out.names()) {
    if (name != field) kept.emplace_back(name);
  }
  return out.select(kept);
}

Table add_elapsed_times(const Table& table, const std::vector<std::string>& field_names, const std::string& date_field,
                        const std::string& base_field) {
  const Moments moments = moments_of(table, date_field);
  const auto bases = detail::unique_cells(table, base_field);
  const std::int64_t n = table.n_rows();
  std::vector<std::int64_t> seconds, group, order(static_cast<std::size_t>(n));
  for (std::int64_t row = 0; row < n; ++row) {
    const Moment* m = moments.at(row);
    if (!m) throw Error(ErrorCode::bad_data, "a date is missing", {{"column", date_field}, {"row", table.where(row)}},
                        "fill it in, or leave the row out");
    seconds.push_back(m->seconds());
    group.push_back(bases.places.const_data_ptr<std::int32_t>()[row]);
  }
  std::iota(order.begin(), order.end(), 0);
  const auto at = [](const std::vector<std::int64_t>& v, std::int64_t row) { return v[static_cast<std::size_t>(row)]; };
  std::vector<std::int64_t> forth = order, back = order;
  std::stable_sort(forth.begin(), forth.end(), [&](std::int64_t a, std::int64_t b) {
    return std::pair(at(group, a), at(seconds, a)) < std::pair(at(group, b), at(seconds, b));
  });
  std::stable_sort(back.begin(), back.end(), [&](std::int64_t a, std::int64_t b) {
    return std::pair(at(group, a), -at(seconds, a)) < std::pair(at(group, b), -at(seconds, b));
  });
  std::map<std::string, std::vector<bool>> events;
  Table out = table;
  for (const std::string& field : field_names) {
    auto& event = events[field];
    for (std::int64_t row = 0; row < n; ++row) event.push_back(table.truth(row, field));
    out = out.with_column(field, event);
  }
  for (const std::string& f : field_names) out = out.with_column("After" + f, elapsed(forth, group, seconds, events[f]));
  for (const std::string& f : field_names) out = out.with_column("Before" + f, elapsed(back, group, seconds, events[f]));
  for (const std::string& f : field_names) out = out.with_column(f + "_bw", rolling(forth, group, events[f]));
  for (const std::string& f : field_names) out = out.with_column(f + "_fw", rolling(back, group, events[f]));
  return out;
}

}  // namespace kindling
