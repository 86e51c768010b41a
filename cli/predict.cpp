#include <kindling/collab.hpp>
#include <kindling/core/thread_pool.hpp>
#include <kindling/serve/predictor.hpp>

#include "cli/command.hpp"
#include "cli/model_path.hpp"
#include "cli/output.hpp"
#include "cli/photo_set.hpp"
#include "cli/table_task.hpp"
#include "core/printable.hpp"

#include <algorithm>
#include <numeric>
#include <variant>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace kindling::cli {

namespace {

/// Items under way at once; results come out in order after each such lot.
constexpr std::size_t lot = 64;

struct PredictOptions {
  CommonOptions common;
  std::string model;
  std::vector<std::string> files;
  bool csv = false;
  int top = 1;
};

using Answer = std::variant<Prediction, Error>;

std::vector<float> probabilities(const Prediction& p) {
  const float* data = p.probs.const_data_ptr<float>();
  return {data, data + p.probs.numel()};
}

/// Prints answers in one of the program's forms.
class Printer {
 public:
  Printer(const PredictOptions& o, std::vector<std::string> classes) : o_(o), classes_(std::move(classes)) {
    for (const std::string& name : classes_) width_ = std::max(width_, detail::columns_of(safe(name)));
    if (!o_.csv) return;
    put("file,label,probability");
    for (const std::string& name : classes_) put("," + csv_field(name));
    put("\n");
  }

  void print(const std::string& file, const Answer& answer) {
    if (const auto* error = std::get_if<Error>(&answer)) return print_error(file, *error);
    const auto& prediction = std::get<Prediction>(answer);
    if (o_.common.json) return print_json(file, prediction);
    if (o_.csv) return print_csv(file, prediction);
    put(fmt::format("{}  {}\n", text_of(prediction), safe(file)));
  }

 private:
  void print_error(const std::string& file, const Error& error) const {
    if (o_.common.json) {
      return put_json(
          {{"file", file},
           {"error",
            {{"code", name_of(error.code())}, {"message", error.message()}, {"hint", error.hint()}}}});
    }
    std::fflush(stdout);
    const std::string line = fmt::format("error: {}: {}\n", safe(file), safe(error.message()));
    std::fwrite(line.data(), 1, line.size(), stderr);
  }

  void print_json(const std::string& file, const Prediction& p) const {
    Json by_class = Json::object();
    const auto probs = probabilities(p);
    for (std::size_t c = 0; c < std::min(classes_.size(), probs.size()); ++c)
      by_class[classes_[c]] = probs[c];
    Json line = {{"file", file}, {"label", p.label}, {"index", p.index}, {"probs", std::move(by_class)}};
    if (const auto* several = std::get_if<Categories>(&p.value)) line["labels"] = several->names;
    put_json(line);
  }

  void print_csv(const std::string& file, const Prediction& p) const {
    const auto probs = probabilities(p);
    const float best = classes_.empty() ? 0 : probs.at(static_cast<std::size_t>(p.index));
    put(fmt::format("{},{},{}", csv_field(file), csv_field(p.label), best));
    for (std::size_t c = 0; c < classes_.size(); ++c) put(fmt::format(",{}", probs.at(c)));
    put("\n");
  }

  std::string text_of(const Prediction& p) const {
    if (classes_.empty()) return p.label;
    if (const auto* several = std::get_if<Categories>(&p.value)) return several_in_words(*several);
    const auto probs = probabilities(p);
    std::vector<std::size_t> order(std::min(classes_.size(), probs.size()));
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, std::ranges::greater(), [&](std::size_t c) { return probs[c]; });
    order.resize(std::min(order.size(), static_cast<std::size_t>(o_.top)));
    std::vector<std::string> parts;
    for (std::size_t c : order) {
      const std::string name = safe(classes_[c]);
      const std::string space(width_ - detail::columns_of(name), ' ');
      parts.push_back(fmt::format("{}{} {:5.1f} %", name, space, 100 * probs[c]));
    }
    return fmt::format("{}", fmt::join(parts, "  "));
  }

  /// Of several labels those that the photo has.
  static std::string several_in_words(const Categories& labels) {
    std::vector<std::string> names;
    for (const std::string& name : labels.names) names.push_back(safe(name));
    return names.empty() ? "(no label)" : fmt::format("{}", fmt::join(names, "; "));
  }

  static std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
  }

  const PredictOptions& o_;
  std::vector<std::string> classes_;
  std::size_t width_ = 0;
};

Answer answer_for(const Predictor& predictor, const std::string& file) {
  try {
    return predictor.predict(fs::path(file));
  } catch (const Error& e) {
    return e;
  }
}

/// Folders become the photos in them; anything else is taken as it is.
std::vector<std::string> expand(const std::vector<std::string>& given) {
  std::vector<std::string> files;
  for (const std::string& name : given) {
    std::error_code ignored;
    if (!fs::is_directory(name, ignored)) {
      files.push_back(name);
      continue;
    }
    const Paths inside = find_photos(name);
    if (inside.empty())
      throw Error(ErrorCode::bad_data, "there are no photos in this folder", {{"path", name}},
                  "give files, or a folder that holds photos");
    for (const fs::path& path : inside) files.push_back(path.string());
  }
  return files;
}

int predict(const PredictOptions& o) {
  demand_cpu(o.common, "predict");
  apply(o.common);
  if (o.csv && o.common.json)
    throw Error(ErrorCode::usage, "--csv and --json exclude each other", {}, "leave one of them out");
  const fs::path model = model_path(o.model);
  const Predictor predictor(model);
  if (predictor.pipeline().encoder) return predict_tables(predictor, {o.files, o.common.json, o.csv});
  const std::vector<std::string> files = expand(o.files);
  Printer printer(o, predictor.vocab());
  bool all_read = true;
  const auto print = [&](const std::string& file, const Answer& answer) {
    printer.print(file, answer);
    all_read = all_read && std::holds_alternative<Prediction>(answer);
  };
  if (files.size() == 1) {
    print(files.front(), answer_for(predictor, files.front()));
  } else {
    // One photo a thread keeps every core busy with decoding too; the answers are those of a single photo.
    const int threads = at::get_num_threads();
    at::set_num_threads(1);
    ThreadPool pool(threads);
    for (std::size_t begin = 0; begin < files.size(); begin += lot) {
      const std::size_t n = std::min(lot, files.size() - begin);
      std::vector<std::optional<Answer>> answers(n);
      pool.for_each(n, [&](std::size_t i) { answers[i] = answer_for(predictor, files[begin + i]); });
      for (std::size_t i = 0; i < n; ++i) print(files[begin + i], *answers[i]);
    }
  }
  return all_read ? 0 : exit_code(ErrorCode::bad_image);
}

}  // namespace

Command add_predict(CLI::App& program) {
  auto o = std::make_shared<PredictOptions>();
  CLI::App* app = program.add_subcommand("predict", "Say what new photos show");
  app->add_option("MODEL", o->model, "model file, or the folder of a run")->required();
  app->add_option("FILE", o->files, "photos, or folders of photos")->required();
  app->add_flag("--csv", o->csv, "print a CSV: file, label, probability, then one column a class");
  app->add_option("--top", o->top, "show the K likeliest classes (1)")
      ->check(CLI::Range(1, 100000))
      ->type_name("K");
  add_common_options(*app, o->common);
  app->footer(R"(A file that cannot be read gives an error line, and the rest go on; the exit code is then 3.

Examples:
  kindling predict runs/pets-1/model.safetensors cat.jpg
  kindling predict runs/pets-1 new_photos/ --top 3
  kindling predict runs/pets-1 *.jpg --json)");
  return {app, [o] { return predict(*o); }};
}

}  // namespace kindling::cli
