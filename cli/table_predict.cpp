#include "cli/table_task.hpp"

#include <kindling/core/error.hpp>
#include <kindling/tabular.hpp>

#include "cli/output.hpp"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <torch/types.h>

namespace kindling::cli {

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

namespace {

/// The rows of one argument: a table, or a JSON object.
Items rows_of_argument(const std::string& argument) {
  if (argument.starts_with("{")) return {Bytes(argument.begin(), argument.end())};
  return rows_of(read_tabular(argument));
}

/// Prints what the model says of rows, a line a row.
class RowPrinter {
 public:
  RowPrinter(const Predictor& predictor, const TablePredictOptions& o)
      : o_(o), classes_(predictor.vocab()), names_(tabular_encoder(predictor.pipeline()).y_names()) {
    if (o_.json) return;
    if (!classes_.empty()) {
      text_ = fmt::format("{},probability", csv_field(names_.front()));
      for (const std::string& name : classes_) text_ += "," + csv_field(name);
    } else {
      for (const std::string& name : names_) text_ += (text_.empty() ? "" : ",") + csv_field(name);
    }
    text_ += "\n";
  }

  void print(const std::string& argument, const torch::Tensor& outputs) {
    const auto numbers = outputs.to(torch::kFloat32).contiguous();
    const std::int64_t n = numbers.size(0), c = n > 0 ? numbers.numel() / n : 0;
    for (std::int64_t row = 0; row < n; ++row) {
      const float* said = numbers.const_data_ptr<float>() + row * c;
      if (o_.json)
        add_json(argument, row, said, c);
      else
        add_csv(said, c);
      if (text_.size() > flush_at) flush();
    }
  }
  void flush() {
    put(text_);
    text_.clear();
  }

 private:
  static constexpr std::size_t flush_at = 1 << 16;

  std::int64_t best_of(const float* said, std::int64_t c) const { return std::max_element(said, said + c) - said; }

  void add_csv(const float* said, std::int64_t c) {
    if (!classes_.empty()) {
      const auto best = best_of(said, c);
      text_ += csv_field(classes_.at(static_cast<std::size_t>(best)));
      fmt::format_to(std::back_inserter(text_), ",{}", said[best]);
      for (std::int64_t i = 0; i < c; ++i) fmt::format_to(std::back_inserter(text_), ",{}", said[i]);
    } else {
      for (std::int64_t i = 0; i < c; ++i) fmt::format_to(std::back_inserter(text_), "{}{}", i > 0 ? "," : "", said[i]);
    }
    text_ += '\n';
  }

  void add_json(const std::string& argument, std::int64_t row, const float* said, std::int64_t c) {
    Json line = Json::object();
    if (!argument.starts_with("{")) line = {{"file", argument}, {"row", row}};
    if (!classes_.empty()) {
      const auto best = best_of(said, c);
      Json probs = Json::object();
      for (std::int64_t i = 0; i < c; ++i) probs[classes_.at(static_cast<std::size_t>(i))] = said[i];
      line["label"] = classes_[static_cast<std::size_t>(best)];
      line["index"] = best;
      line["probs"] = std::move(probs);
    } else {
      for (std::int64_t i = 0; i < c; ++i) line[names_.at(static_cast<std::size_t>(i))] = said[i];
    }
    text_ += line.dump() + "\n";
  }

  const TablePredictOptions& o_;
  std::vector<std::string> classes_;
  std::vector<std::string> names_;
  std::string text_;
};

}  // namespace

int predict_tables(const Predictor& predictor, const TablePredictOptions& o) {
  RowPrinter printer(predictor, o);
  int code = 0;
  for (const std::string& argument : o.files) {
    try {
      const Items rows = rows_of_argument(argument);
      if (!rows.empty()) printer.print(argument, predictor.outputs(rows));
    } catch (const Error& e) {
      printer.flush();
      code = exit_code(e.code());
      if (o.json) {
        Json error = error_json(e);
        put_json({{"file", argument}, {"error", std::move(error)}});
      } else {
        put_error(e, false);
      }
    }
  }
  printer.flush();
  return code;
}

}  // namespace kindling::cli
