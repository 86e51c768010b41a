#include <kindling/core/error.hpp>
#include <kindling/core/listener.hpp>
#include <kindling/train/recorder.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling {

void SmoothLoss::add(double loss) {
  average_ = loss * (1 - beta_) + average_ * beta_;
  ++count_;
}

double SmoothLoss::value() const {
  if (count_ == 0) return std::numeric_limits<double>::quiet_NaN();
  return average_ / (1 - std::pow(beta_, static_cast<double>(count_)));
}

namespace {

std::vector<double> row_values(const EpochRecord& e, const RecorderOptions& o) {
  std::vector<double> row = {e.train_loss};
  if (o.train_metrics) row.insert(row.end(), e.train_metrics.begin(), e.train_metrics.end());
  if (!o.valid_metrics) return row;
  row.push_back(e.valid_loss);
  row.insert(row.end(), e.metrics.begin(), e.metrics.end());
  return row;
}

}  // namespace

std::vector<std::vector<double>> Recorder::values() const {
  std::vector<std::vector<double>> rows;
  for (const EpochRecord& e : epochs) rows.push_back(row_values(e, options));
  return rows;
}

std::vector<std::string> Recorder::columns() const {
  std::vector<std::string> names = {"epoch", "train_loss"};
  if (options.train_metrics) {
    for (const std::string& m : metric_names) names.push_back("train_" + m);
  }
  if (options.valid_metrics) {
    names.push_back("valid_loss");
    for (const std::string& m : metric_names) names.push_back(options.train_metrics ? "valid_" + m : m);
  }
  if (options.add_time) names.push_back("time");
  return names;
}

std::vector<std::string> Recorder::cells(const EpochRecord& record) const {
  auto number = [](double v) { return std::isnan(v) ? std::string("None") : fmt::format("{:.6f}", v); };
  std::vector<std::string> row = {fmt::to_string(record.epoch)};
  for (double v : row_values(record, options)) row.push_back(number(v));
  if (options.add_time) row.push_back(format_duration(record.seconds));
  return row;
}

std::vector<double> Recorder::final_record() const {
  return epochs.empty() ? std::vector<double>() : row_values(epochs.back(), options);
}

double Recorder::last(const std::string& column) const {
  auto names = columns();
  names.erase(names.begin());
  if (options.add_time) names.pop_back();
  const auto found = std::find(names.begin(), names.end(), column);
  if (found == names.end()) {
    throw Error(ErrorCode::usage, "the record has no such column", {{"column", column}},
                fmt::format("known: {}{}", fmt::join(names, ", "), did_you_mean(column, names)));
  }
  const auto values = final_record();
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  return values[static_cast<std::size_t>(found - names.begin())];
}

void Recorder::save_csv(const fs::path& path) const {
  std::string csv = fmt::format("{}\n", fmt::join(columns(), ","));
  for (const EpochRecord& e : history) {
    csv += fmt::to_string(e.epoch);
    for (double v : row_values(e, options)) csv += fmt::format(",{}", v);
    csv += options.add_time ? fmt::format(",{}\n", format_duration(e.seconds)) : "\n";
  }
  write_file(path, csv);
}

}  // namespace kindling
