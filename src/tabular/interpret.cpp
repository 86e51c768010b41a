#include <kindling/core/error.hpp>
#include <kindling/core/random.hpp>
#include <kindling/tabular/data.hpp>
#include <kindling/tabular/interpret.hpp>

#include "tabular/all_rows.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

/// A column's place: member 0 are the classes, 1 the numbers.
struct Place {
  std::size_t member;
  std::int64_t column;
};

Place place_of(const TabularEncoder& encoder, const std::string& name) {
  const auto in = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), name) - names.begin();
  };
  const auto cat = in(encoder.cat_names()), cont = in(encoder.cont_names());
  if (cat < static_cast<std::ptrdiff_t>(encoder.cat_names().size())) return {0, cat};
  if (cont < static_cast<std::ptrdiff_t>(encoder.cont_names().size())) return {1, cont};
  std::vector<std::string> names = encoder.cat_names();
  names.insert(names.end(), encoder.cont_names().begin(), encoder.cont_names().end());
  throw Error(ErrorCode::not_found, "the model has no such column", {{"column", name}},
              "check the name" + did_you_mean(name, names));
}

/// Rows of a loader where the model is to run.
Batch rows_for(Learner& learn, const DataLoader& dl, std::int64_t max_rows) {
  const torch::Device device = learn.dls.device();
  learn.model.module().to(device);
  learn.model.module().eval();
  Batch rows = detail::all_rows(dl, max_rows);
  for (auto* members : {&rows.x, &rows.y}) {
    for (torch::Tensor& member : *members) member = member.to(device);
  }
  return rows;
}

double loss_of(Learner& learn, const std::vector<torch::Tensor>& x, const std::vector<torch::Tensor>& y) {
  return learn.loss_func(learn.model.forward(x), y).item<double>();
}

/// The value as a person knows it, of a number as it goes into the model.
double shown_number(const TabularEncoder& encoder, const std::string& name, double value) {
  TabularFrame frame;
  frame.conts[name] = torch::full({1}, value, torch::kFloat64);
  for (auto p = encoder.procs().rbegin(); p != encoder.procs().rend(); ++p) p->decodes(frame);
  return frame.conts[name].item<double>();
}

}  // namespace

std::vector<ColumnImportance> permutation_importance(Learner& learn, const DataLoader& dl, const ImportanceOptions& options) {
  const TabularEncoder& encoder = tabular_encoder(learn.dls.pipeline());
  const Batch rows = rows_for(learn, dl, options.max_rows);
  if (rows.y.empty())
    throw Error(ErrorCode::usage, "importance needs the targets of the rows", {}, "make the loader with targets");
  torch::NoGradGuard no_grad;
  const double plain = loss_of(learn, rows.x, rows.y);
  std::vector<ColumnImportance> found;
  CounterRng rng(options.seed);
  std::vector<std::string> names = encoder.cat_names();
  names.insert(names.end(), encoder.cont_names().begin(), encoder.cont_names().end());
  for (const std::string& name : names) {
    const Place place = place_of(encoder, name);
    double worse = 0;
    for (int r = 0; r < options.repeats; ++r) {
      const auto order = permutation(rows.size(), rng);
      auto x = rows.x;
      x[place.member] = x[place.member].clone();
      const auto column = rows.x[place.member].select(1, place.column);
      const auto shuffled = torch::tensor(at::IntArrayRef(order)).to(column.device());
      x[place.member].select(1, place.column).copy_(column.index_select(0, shuffled));
      worse += loss_of(learn, x, rows.y) - plain;
    }
    found.push_back({name, worse / options.repeats});
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.importance > b.importance; });
  return found;
}

Figure importance_figure(const std::vector<ColumnImportance>& importance, int max_n) {
  std::vector<std::string> names;
  std::vector<double> values;
  for (const ColumnImportance& i : importance) {
    if (static_cast<int>(names.size()) >= max_n) break;
    names.push_back(i.column);
    values.push_back(i.importance);
  }
  return bar_figure(names, values, {.title = "Importance", .x = "column", .y = "growth of the loss when it is shuffled"});
}

Figure partial_dependence(Learner& learn, const DataLoader& dl, const std::string& name,
                          const PartialDependenceOptions& options) {
  const TabularEncoder& encoder = tabular_encoder(learn.dls.pipeline());
  const Place place = place_of(encoder, name);
  const Batch rows = rows_for(learn, dl, options.max_rows);
  torch::NoGradGuard no_grad;
  auto x = rows.x;
  x[place.member] = x[place.member].clone();
  const auto mean_at = [&](double value) {
    x[place.member].select(1, place.column).fill_(value);
    const auto said = learn.loss_func.activation(learn.model.forward(x));
    const auto flat = said.reshape({said.size(0), -1});
    return flat.select(1, options.output < 0 ? flat.size(1) - 1 : options.output).mean().item<double>();
  };
  const auto vocab = encoder.vocab();
  const auto class_of_output = [&] {
    return options.output < 0 ? vocab.back() : vocab.at(static_cast<std::size_t>(options.output));
  };
  const std::string y = vocab.empty() ? encoder.y_names().front() : fmt::format("probability of {}", class_of_output());
  if (place.member == 0) {
    std::vector<std::string> names;
    std::vector<double> values;
    const auto& items = encoder.classes(name).items();
    for (std::size_t code = 0; code < std::min<std::size_t>(items.size(), 40); ++code) {
      names.push_back(items[code]);
      values.push_back(mean_at(static_cast<double>(code)));
    }
    return bar_figure(names, values, {.title = name, .x = name, .y = y});
  }
  const auto sorted = std::get<0>(rows.x[1].select(1, place.column).sort());
  Series series;
  for (int p = 0; p < options.points; ++p) {
    const auto at = static_cast<std::int64_t>((p + 0.5) / options.points * static_cast<double>(sorted.numel()));
    const double value = sorted[std::min(at, sorted.numel() - 1)].item<double>();
    const double shown = shown_number(encoder, name, value);
    if (!series.x.empty() && shown <= series.x.back()) continue;
    series.x.push_back(shown);
    series.y.push_back(mean_at(value));
  }
  return line_figure({series}, {.title = name, .x = name, .y = y});
}

namespace {

/// 1 where the class is wrong, or how far off the numbers are: a value a row, float64.
torch::Tensor row_errors(Learner& learn, const DataLoader& dl) {
  const Preds preds = learn.get_preds({.dl = dl, .with_decoded = true});
  if (!preds.targs.defined())
    throw Error(ErrorCode::usage, "errors need the targets of the rows", {}, "make the loader with targets");
  if (tabular_encoder(learn.dls.pipeline()).target() == TargetKind::category)
    return (preds.decoded.flatten() != preds.targs.flatten()).to(torch::kFloat64);
  const auto off = (preds.preds.reshape({preds.preds.size(0), -1}) - preds.targs.reshape({preds.targs.size(0), -1})).abs();
  return off.mean(1).to(torch::kFloat64);
}

/// The groups of a column by its codes, and how much of the errors' variance lies between them.
std::pair<ErrorsByGroup, double> groups_of(const torch::Tensor& codes, const torch::Tensor& errors, const CategoryMap& classes,
                                           std::int64_t min_rows) {
  const auto counts = torch::bincount(codes, {}, classes.size()).contiguous();
  const auto sums = torch::bincount(codes, errors, classes.size()).contiguous();
  const double mean = errors.mean().item<double>();
  ErrorsByGroup found;
  double between = 0;
  for (std::int64_t code = 0; code < classes.size(); ++code) {
    const std::int64_t n = counts.const_data_ptr<std::int64_t>()[code];
    if (n < min_rows) continue;
    const double error = sums.const_data_ptr<double>()[code] / static_cast<double>(n);
    found.groups.push_back({classes.items().at(static_cast<std::size_t>(code)), n, error});
    between += static_cast<double>(n) * (error - mean) * (error - mean);
  }
  std::stable_sort(found.groups.begin(), found.groups.end(), [](const auto& a, const auto& b) { return a.error > b.error; });
  return {std::move(found), between};
}

}  // namespace

std::vector<ErrorsByGroup> errors_by_group(Learner& learn, const DataLoader& dl, const ErrorsByGroupOptions& options) {
  const TabularEncoder& encoder = tabular_encoder(learn.dls.pipeline());
  const torch::Tensor errors = row_errors(learn, dl);
  const Batch rows = detail::all_rows(dl);
  std::vector<std::pair<double, ErrorsByGroup>> columns;
  for (const std::string& name : encoder.cat_names()) {
    const Place place = place_of(encoder, name);
    auto [found, between] =
        groups_of(rows.x[place.member].select(1, place.column), errors, encoder.classes(name), options.min_rows);
    if (found.groups.size() < 2) continue;
    found.column = name;
    columns.emplace_back(between, std::move(found));
  }
  std::stable_sort(columns.begin(), columns.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<ErrorsByGroup> list;
  for (auto& [between, found] : columns) list.push_back(std::move(found));
  return list;
}

Figure errors_figure(const ErrorsByGroup& errors, int max_n) {
  std::vector<std::string> names;
  std::vector<double> values;
  for (const GroupError& g : errors.groups) {
    if (static_cast<int>(names.size()) >= max_n) break;
    names.push_back(fmt::format("{} ({} rows)", g.group, g.n));
    values.push_back(g.error);
  }
  return bar_figure(names, values, {.title = errors.column, .x = errors.column, .y = "error"});
}

}  // namespace kindling
