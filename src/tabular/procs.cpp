#include <kindling/core/error.hpp>
#include <kindling/tabular/procs.hpp>

#include "data/maker_registry.hpp"
#include "tabular/unique_cells.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>

#include <ATen/Dispatch.h>
#include <torch/types.h>

namespace kindling {

namespace {

using ProcRegistry = detail::MakerRegistry<std::optional<TabularProc>>;

void register_builtin() {
  [[maybe_unused]] static const bool once = [] {
    register_tabular_proc(Categorify::name, [](const Json& j) { return TabularProc(Categorify::from_json(j)); });
    register_tabular_proc(FillMissing::name, [](const Json& j) { return TabularProc(FillMissing::from_json(j)); });
    register_tabular_proc(NormalizeConts::name,
                          [](const Json& j) { return TabularProc(NormalizeConts::from_json(j)); });
    return true;
  }();
}

/// Values of the training rows that are there, float64, in memory of their own.
torch::Tensor present(const torch::Tensor& column, const torch::Tensor& train) {
  const auto values = column.index_select(0, train);
  const auto missing = torch::isnan(values);
  return (missing.any().item<bool>() ? values.masked_select(missing.logical_not()) : values).to(torch::kFloat64);
}

/// Puts `numbers` in another order: sorting all of them would take longer than everything else.
double median_of(const torch::Tensor& numbers) {
  auto* begin = numbers.data_ptr<double>();
  auto *middle = begin + numbers.numel() / 2, *end = begin + numbers.numel();
  std::nth_element(begin, middle, end);
  return numbers.numel() % 2 == 1 ? *middle : (*std::max_element(begin, middle) + *middle) / 2;
}

/// The most frequent value; of several the smallest.
double mode_of(const torch::Tensor& numbers) {
  const auto [values, inverse, counts] = torch::unique_consecutive(std::get<0>(numbers.sort()), /*return_inverse=*/false,
                                                                   /*return_counts=*/true);
  return values[counts.argmax()].item<double>();
}

torch::Tensor filled(const torch::Tensor& column, const torch::Tensor& missing, double value) {
  return column.masked_fill(missing, value);
}

/// In one pass: a column of float64 more would be what a long table's processing takes most memory for.
torch::Tensor normalized(const torch::Tensor& column, double mean, double std) {
  const auto values = column.contiguous();
  auto out = torch::empty_like(values, torch::kFloat32);
  AT_DISPATCH_FLOATING_TYPES(values.scalar_type(), "normalized", [&] {
    const auto* x = values.const_data_ptr<scalar_t>();
    auto* y = out.data_ptr<float>();
    for (std::int64_t i = 0; i < values.numel(); ++i) y[i] = static_cast<float>((static_cast<double>(x[i]) - mean) / std);
  });
  return out;
}

CategoryMap flag_classes(const torch::Tensor& train_flags) {
  std::vector<TableCell> values;
  if (!train_flags.all().item<bool>()) values.emplace_back(false);
  if (train_flags.any().item<bool>()) values.emplace_back(true);
  return {ColumnType::boolean, std::move(values), /*add_na=*/true};
}

CategoryMap column_classes(const detail::UniqueCells& unique, const torch::Tensor& train) {
  const bool of_all_rows =
      unique.type == ColumnType::text || unique.type == ColumnType::date || unique.type == ColumnType::other;
  if (of_all_rows) return {unique.type, unique.cells, /*add_na=*/true};
  return detail::classes_of_rows(unique, train, /*add_na=*/true);
}

torch::Tensor flag_codes(const CategoryMap& classes, const torch::Tensor& flags) {
  return torch::full_like(flags, classes.code(false), torch::kUInt8).masked_fill_(flags, classes.code(true));
}

template <class Code>
std::pair<torch::Tensor, std::int64_t> codes_as(const std::vector<std::int64_t>& code_of, const torch::Tensor& places) {
  const std::vector<Code> small(code_of.begin(), code_of.end());
  auto codes = torch::empty_like(places, torch::CppTypeToScalarType<Code>::value);
  const auto* place = places.const_data_ptr<std::int32_t>();
  auto* out = codes.template data_ptr<Code>();
  std::int64_t unknown = 0;
  for (std::int64_t i = 0; i < codes.numel(); ++i) {
    out[i] = place[i] < 0 ? Code{0} : small[static_cast<std::size_t>(place[i])];
    unknown += out[i] == 0;
  }
  return {codes, unknown};
}

/// Codes of a column in the smallest type that holds them, and how many of them are 0.
std::pair<torch::Tensor, std::int64_t> column_codes(const CategoryMap& classes, const detail::UniqueCells& unique) {
  std::vector<std::int64_t> code_of;
  for (const TableCell& cell : unique.cells) code_of.push_back(classes.code(cell));
  if (classes.size() <= std::numeric_limits<std::uint8_t>::max()) return codes_as<std::uint8_t>(code_of, unique.places);
  if (classes.size() <= std::numeric_limits<std::int16_t>::max()) return codes_as<std::int16_t>(code_of, unique.places);
  return codes_as<std::int32_t>(code_of, unique.places);
}

constexpr std::pair<FillStrategy, const char*> strategy_names[] = {
    {FillStrategy::median, "median"}, {FillStrategy::constant, "constant"}, {FillStrategy::mode, "mode"}};

}  // namespace

TabularProc::TabularProc(const Normalize&) : TabularProc(NormalizeConts{}) {}

Json TabularProc::to_json() const {
  Json json = {{"name", name()}};
  json.update(self_->to_json());
  return json;
}

void register_tabular_proc(const std::string& name, std::function<TabularProc(const Json&)> make) {
  ProcRegistry::instance().add(name, [make = std::move(make)](const Json& json) { return std::optional(make(json)); });
}

TabularProc tabular_proc_from_json(const Json& json) {
  register_builtin();
  const auto name = json.at("name").get<std::string>();
  if (const auto make = ProcRegistry::instance().find(name)) return *make(json);
  throw Error(ErrorCode::not_found, "the table's processing has a step that is not known", {{"name", name}},
              "call register_tabular_proc with a function that makes it");
}

// ---- Categorify

void Categorify::setup(TabularFrame& frame, const torch::Tensor& train) {
  classes_.clear();
  for (const std::string& name : frame.cat_names) {
    const auto flags = frame.flags.find(name);
    classes_.emplace_back(name, flags != frame.flags.end() ? flag_classes(flags->second.index_select(0, train))
                                                           : column_classes(frame.unique(name), train));
  }
}

void Categorify::encodes(TabularFrame& frame) const {
  for (const auto& [name, classes] : classes_) {
    if (const auto flags = frame.flags.find(name); flags != frame.flags.end()) {
      frame.codes[name] = flag_codes(classes, flags->second);
      continue;
    }
    auto [codes, unknown] = column_codes(classes, frame.unique(name));
    frame.codes[name] = std::move(codes);
    frame.forget(name);
    if (unknown > 0) frame.unknown[name] = unknown;
  }
}

void Categorify::decodes(TabularFrame& frame) const {
  for (const auto& [name, classes] : classes_) {
    const auto found = frame.codes.find(name);
    if (found == frame.codes.end()) continue;
    const auto codes = found->second.to(torch::kInt64).contiguous();
    const auto* code = codes.const_data_ptr<std::int64_t>();
    auto& texts = frame.texts[name];
    for (std::int64_t i = 0; i < codes.numel(); ++i) {
      const bool known = code[i] >= 0 && code[i] < classes.size();
      texts.push_back(known ? classes.items()[static_cast<std::size_t>(code[i])] : "");
    }
  }
}

Json Categorify::to_json() const {
  Json columns = Json::array();
  for (const auto& [name, classes] : classes_) {
    Json column = {{"column", name}};
    column.update(classes.to_json());
    columns.push_back(std::move(column));
  }
  return {{"classes", std::move(columns)}};
}

Categorify Categorify::from_json(const Json& json) {
  Categorify proc;
  for (const Json& column : json.at("classes"))
    proc.classes_.emplace_back(column.at("column").get<std::string>(), CategoryMap::from_json(column));
  return proc;
}

const CategoryMap& Categorify::operator[](const std::string& column) const {
  std::vector<std::string> names;
  for (const auto& [name, classes] : classes_) {
    if (name == column) return classes;
    names.push_back(name);
  }
  throw Error(ErrorCode::not_found, "there is no column of classes of that name", {{"column", column}},
              "check the name" + did_you_mean(column, names));
}

// ---- FillMissing

void FillMissing::setup(TabularFrame& frame, const torch::Tensor& train) {
  na_dict_.clear();
  filled_.clear();
  fallback_.clear();
  for (const std::string& name : frame.cont_names) {
    const auto& column = frame.cont(name);
    const auto values = present(column, train);
    const bool misses = values.numel() < train.numel();
    if (!misses && !options_.fill_new) continue;
    const auto constant = options_.fill_vals.find(name);
    double value = constant == options_.fill_vals.end() ? 0 : constant->second;
    if (options_.fill_strategy != FillStrategy::constant) {
      if (values.numel() == 0) {
        throw Error(ErrorCode::bad_data, "a column of numbers has no value in any training row", {{"column", name}},
                    "leave it out of cont_names, or fill it with FillStrategy::constant");
      }
      value = options_.fill_strategy == FillStrategy::median ? median_of(values) : mode_of(values);
    }
    if (!misses) {
      fallback_[name] = value;
      continue;
    }
    na_dict_[name] = value;
    filled_.push_back(name);
  }
}

void FillMissing::encodes(TabularFrame& frame) const {
  for (const std::string& name : frame.cont_names) {
    const auto& column = frame.cont(name);
    const auto missing = torch::isnan(column);
    const auto n = missing.sum().item<std::int64_t>();
    const auto known = na_dict_.find(name);
    if (n > 0) {
      const auto fallback = fallback_.find(name);
      if (known == na_dict_.end() && fallback == fallback_.end()) {
        const auto row = missing.nonzero()[0].item<std::int64_t>();
        throw Error(ErrorCode::bad_data, "a number is missing in a column that had none missing in training",
                    {{"column", name}, {"missing", n}, {"first", frame.table.where(row)}},
                    "fill the cells in, leave the rows out, or choose FillMissing({.fill_new = true})");
      }
      frame.filled[name] = n;
      frame.conts[name] = filled(column, missing, known != na_dict_.end() ? known->second : fallback->second);
    }
    if (known == na_dict_.end() || !options_.add_col) continue;
    const std::string flag = name + "_na";
    frame.flags[flag] = missing;
    if (std::find(frame.cat_names.begin(), frame.cat_names.end(), flag) == frame.cat_names.end())
      frame.cat_names.push_back(flag);
  }
}

Json FillMissing::to_json() const {
  std::string strategy;
  for (const auto& [known, name] : strategy_names) {
    if (known == options_.fill_strategy) strategy = name;
  }
  return {{"fill_strategy", strategy},
          {"add_col", options_.add_col},
          {"fill_new", options_.fill_new},
          {"na_dict", Json(na_dict_)},
          {"columns", filled_},
          {"fallback", Json(fallback_)}};
}

FillMissing FillMissing::from_json(const Json& json) {
  FillMissing proc({.add_col = json.at("add_col").get<bool>(), .fill_new = json.at("fill_new").get<bool>()});
  for (const auto& [strategy, name] : strategy_names) {
    if (json.at("fill_strategy").get<std::string>() == name) proc.options_.fill_strategy = strategy;
  }
  proc.na_dict_ = json.at("na_dict").get<std::map<std::string, double>>();
  proc.filled_ = json.at("columns").get<std::vector<std::string>>();
  proc.fallback_ = json.at("fallback").get<std::map<std::string, double>>();
  return proc;
}

// ---- Normalize

void NormalizeConts::setup(TabularFrame& frame, const torch::Tensor& train) {
  means_.clear();
  stds_.clear();
  for (const std::string& name : frame.cont_names) {
    const auto values = present(frame.cont(name), train);
    const double mean = values.numel() > 0 ? values.mean().item<double>() : 0;
    const double variance = values.numel() > 0 ? values.sub_(mean).square_().mean().item<double>() : 1;
    means_[name] = mean;
    stds_[name] = std::sqrt(variance) + 1e-7;
  }
}

void NormalizeConts::encodes(TabularFrame& frame) const {
  for (const std::string& name : frame.cont_names) {
    frame.conts[name] = normalized(frame.cont(name), means_.at(name), stds_.at(name));
  }
}

void NormalizeConts::decodes(TabularFrame& frame) const {
  for (auto& [name, column] : frame.conts)
    column = column.to(torch::kFloat64).mul(stds_.at(name)).add_(means_.at(name));
}

Json NormalizeConts::to_json() const {
  return {{"means", Json(means_)}, {"stds", Json(stds_)}};
}

NormalizeConts NormalizeConts::from_json(const Json& json) {
  NormalizeConts proc;
  proc.means_ = json.at("means").get<std::map<std::string, double>>();
  proc.stds_ = json.at("stds").get<std::map<std::string, double>>();
  return proc;
}

}  // namespace kindling
