#include <kindling/tabular/check.hpp>
#include <kindling/tabular/data.hpp>

#include "tabular/unique_cells.hpp"
#include "tabular/all_rows.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

constexpr std::int64_t n_ranges = 64;
/// A table of fewer rows says nothing of identifiers and drift.
constexpr std::int64_t least_rows = 30;

/// Which range of as many training rows a number is in.
std::pair<torch::Tensor, torch::Tensor> ranges(const torch::Tensor& train, const torch::Tensor& valid) {
  const auto sorted = std::get<0>(train.sort());
  const auto places = torch::arange(1, n_ranges) * train.numel() / n_ranges;
  const auto edges = sorted.index_select(0, places.to(torch::kInt64)).contiguous();
  return {torch::bucketize(train.contiguous(), edges, false, /*right=*/true),
          torch::bucketize(valid.contiguous(), edges, false, /*right=*/true)};
}

/// Accuracy, on the validation rows, of the most frequent class of each code.
double class_score(const torch::Tensor& codes, const torch::Tensor& y, const torch::Tensor& valid_codes,
                   const torch::Tensor& valid_y, std::int64_t n_codes, std::int64_t classes) {
  const auto counts = torch::bincount(codes * classes + y, {}, n_codes * classes).view({n_codes, classes});
  const auto all = counts.sum(0, /*keepdim=*/true);
  // A code that no training row has says what all rows say.
  const auto said = torch::where(counts.sum(1, true) > 0, counts, all).argmax(1);
  return (said.index_select(0, valid_codes) == valid_y).to(torch::kFloat64).mean().item<double>();
}

/// R² of the mean of each code.
double number_score(const torch::Tensor& codes, const torch::Tensor& y, const torch::Tensor& valid_codes,
                    const torch::Tensor& valid_y, std::int64_t n_codes) {
  const auto sums = torch::bincount(codes, y.to(torch::kFloat64), n_codes);
  const auto counts = torch::bincount(codes, {}, n_codes).to(torch::kFloat64);
  const auto means = torch::where(counts > 0, sums / counts.clamp_min(1), y.to(torch::kFloat64).mean());
  const auto error = (means.index_select(0, valid_codes) - valid_y).square().mean();
  const auto spread = (valid_y - valid_y.to(torch::kFloat64).mean()).square().mean();
  return spread.item<double>() > 0 ? 1 - (error / spread).item<double>() : 0;
}

bool parses_as_number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

/// Text where more than half of the cells are numbers.
std::string mixed_text(const detail::UniqueCells& unique, const std::string& name) {
  if (unique.type != ColumnType::text) return "";
  const auto counts = unique.counts();
  std::int64_t numbers = 0, all = 0;
  std::string example;
  for (std::size_t i = 0; i < unique.cells.size(); ++i) {
    const auto& text = std::get<std::string>(unique.cells[i]);
    all += counts[i];
    if (parses_as_number(text))
      numbers += counts[i];
    else if (example.empty())
      example = text;
  }
  if (2 * numbers <= all || numbers == all) return "";
  return fmt::format("'{}' is text because of cells like '{}', but {} of {} cells are numbers", name, example, numbers,
                     all);
}

bool is_identifier(const detail::UniqueCells& unique, std::int64_t n_rows) {
  const bool whole_or_text = unique.type == ColumnType::integer || unique.type == ColumnType::text;
  return whole_or_text && n_rows >= least_rows && static_cast<std::int64_t>(unique.cells.size()) == n_rows;
}

/// Parts of all rows by class.
std::map<std::string, double> parts_of(const detail::UniqueCells& unique) {
  const auto counts = unique.counts();
  std::map<std::string, double> parts;
  double all = 0;
  for (std::int64_t n : counts) all += static_cast<double>(n);
  for (std::size_t i = 0; i < counts.size(); ++i)
    parts[text_of(unique.cells[i])] = static_cast<double>(counts[i]) / std::max(all, 1.0);
  return parts;
}

double total_variation(const Table& train, const Table& test, const std::string& name) {
  auto a = parts_of(detail::unique_cells(train, name)), b = parts_of(detail::unique_cells(test, name));
  double sum = 0;
  for (const auto& [value, part] : a) sum += std::abs(part - b[value]);
  for (const auto& [value, part] : b) {
    if (!a.contains(value)) sum += part;
  }
  return sum / 2;
}

torch::Tensor sorted_numbers(const Table& table, const std::string& name) {
  const auto numbers = detail::number_column(table, name).to(torch::kFloat64);
  return std::get<0>(numbers.masked_select(torch::isnan(numbers).logical_not()).sort());
}

double kolmogorov_smirnov(const Table& train, const Table& test, const std::string& name) {
  const auto a = sorted_numbers(train, name), b = sorted_numbers(test, name);
  if (a.numel() == 0 || b.numel() == 0) return 0;
  const auto all = torch::cat({a, b});
  const auto part = [&](const torch::Tensor& sorted) {
    return torch::searchsorted(sorted, all, false, /*right=*/true).to(torch::kFloat64) / sorted.numel();
  };
  return (part(a) - part(b)).abs().max().item<double>();
}

}  // namespace

std::vector<LeakingColumn> leaking_columns(const DataLoaders& dls, const LeakOptions& options) {
  const TabularEncoder& encoder = tabular_encoder(dls.pipeline());
  if (dls.valid().n() == 0 || encoder.target() == TargetKind::none) return {};
  const Batch train = detail::all_rows(dls.train()), valid = detail::all_rows(dls.valid());
  const bool classes = encoder.target() == TargetKind::category;
  torch::Tensor y = train.y.front(), valid_y = valid.y.front();
  if (y.dim() > 1) {
    y = y.select(1, 0);
    valid_y = valid_y.select(1, 0);
  }
  const auto score = [&](const torch::Tensor& codes, const torch::Tensor& valid_codes, std::int64_t n) {
    return classes ? class_score(codes, y, valid_codes, valid_y, n, dls.c())
                   : number_score(codes, y, valid_codes, valid_y, n);
  };
  const double baseline = classes ? score(torch::zeros_like(y), torch::zeros_like(valid_y), 1) : 0;
  std::vector<LeakingColumn> leaks;
  const auto judge = [&](const std::string& name, double reached) {
    if (baseline < 1 && (reached - baseline) / (1 - baseline) >= options.threshold)
      leaks.push_back({name, reached, baseline});
  };
  for (std::size_t c = 0; c < encoder.cat_names().size(); ++c) {
    const auto at = static_cast<std::int64_t>(c);
    const std::string& name = encoder.cat_names()[c];
    judge(name, score(train.x[0].select(1, at), valid.x[0].select(1, at), encoder.classes(name).size()));
  }
  for (std::size_t c = 0; c < encoder.cont_names().size(); ++c) {
    const auto at = static_cast<std::int64_t>(c);
    const auto [codes, valid_codes] = ranges(train.x[1].select(1, at), valid.x[1].select(1, at));
    judge(encoder.cont_names()[c], score(codes, valid_codes, n_ranges));
  }
  return leaks;
}

std::string_view name_of(TableProblem problem) {
  constexpr std::string_view names[] = {"constant", "duplicate", "identifier", "mixed_types", "mostly_missing", "drift"};
  return names[static_cast<std::size_t>(problem)];
}

std::vector<TableFinding> check_table(const Table& table, const std::string& target) {
  std::vector<TableFinding> findings;
  std::vector<std::pair<std::string, torch::Tensor>> seen;
  const std::int64_t n = table.n_rows();
  for (const std::string& name : table.names()) {
    if (name == target) continue;
    const auto unique = detail::unique_cells(table, name);
    const auto missing = (unique.places < 0).sum().item<std::int64_t>();
    if (unique.cells.size() <= 1 && (missing == 0 || unique.cells.empty())) {
      findings.push_back({TableProblem::constant, name,
                          unique.cells.empty() ? fmt::format("'{}' has no values at all", name)
                                               : fmt::format("'{}' is '{}' in every row", name, text_of(unique.cells[0]))});
      continue;
    }
    if (is_identifier(unique, n))
      findings.push_back({TableProblem::identifier, name,
                          fmt::format("'{}' is different in every row: an identifier, of which nothing can be learnt", name)});
    if (2 * missing > n)
      findings.push_back(
          {TableProblem::mostly_missing, name, fmt::format("'{}' is missing in {} of {} rows", name, missing, n)});
    if (const std::string text = mixed_text(unique, name); !text.empty())
      findings.push_back({TableProblem::mixed_types, name, text});
    // Values are numbered in the order of their first rows, so that columns that say the same have the same numbers.
    const auto same = std::find_if(seen.begin(), seen.end(), [&](const auto& s) { return torch::equal(s.second, unique.places); });
    if (same != seen.end() && !is_identifier(unique, n))
      findings.push_back({TableProblem::duplicate, name, fmt::format("'{}' says the same as '{}'", name, same->first)});
    seen.emplace_back(name, unique.places);
  }
  return findings;
}

std::vector<TableFinding> check_drift(const Table& train, const Table& test, double threshold) {
  std::vector<TableFinding> findings;
  if (train.n_rows() < least_rows || test.n_rows() < least_rows) return findings;
  for (const std::string& name : train.names()) {
    if (!test.contains(name)) continue;
    const auto is_number = [&](const Table& t) {
      return t.type(name) == ColumnType::integer || t.type(name) == ColumnType::number;
    };
    const bool numbers = is_number(train) && is_number(test);
    const auto cells = static_cast<std::int64_t>(detail::unique_cells(train, name).cells.size());
    if (!numbers && 2 * cells > train.n_rows()) continue;  // names and the like
    const double distance = numbers ? kolmogorov_smirnov(train, test, name) : total_variation(train, test, name);
    if (distance < threshold) continue;
    findings.push_back({TableProblem::drift, name,
                        fmt::format("'{}' is distributed otherwise in the test rows: {:.0f} % of them differ", name,
                                    100 * distance)});
  }
  return findings;
}

}  // namespace kindling
