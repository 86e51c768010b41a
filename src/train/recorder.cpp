#include <kindling/core/listener.hpp>
#include <kindling/train/recorder.hpp>

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

std::vector<std::vector<double>> Recorder::values() const {
  std::vector<std::vector<double>> rows;
  for (const EpochRecord& e : epochs) {
    rows.push_back({e.train_loss, e.valid_loss});
    rows.back().insert(rows.back().end(), e.metrics.begin(), e.metrics.end());
  }
  return rows;
}

std::vector<std::string> Recorder::columns() const {
  std::vector<std::string> names = {"epoch", "train_loss", "valid_loss"};
  names.insert(names.end(), metric_names.begin(), metric_names.end());
  names.push_back("time");
  return names;
}

std::vector<std::string> Recorder::cells(const EpochRecord& record) const {
  auto number = [](double v) { return std::isnan(v) ? std::string("None") : fmt::format("{:.6f}", v); };
  std::vector<std::string> row = {fmt::to_string(record.epoch), number(record.train_loss),
                                  number(record.valid_loss)};
  for (double m : record.metrics) row.push_back(number(m));
  row.push_back(format_duration(record.seconds));
  return row;
}

void Recorder::save_csv(const fs::path& path) const {
  std::string csv = fmt::format("{}\n", fmt::join(columns(), ","));
  for (const EpochRecord& e : history) {
    csv += fmt::format("{},{},{}", e.epoch, e.train_loss, e.valid_loss);
    for (double m : e.metrics) csv += fmt::format(",{}", m);
    csv += fmt::format(",{}\n", format_duration(e.seconds));
  }
  write_file(path, csv);
}

}  // namespace kindling
