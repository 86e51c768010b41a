#include <kindling/nn/models.hpp>

#include "cli/command.hpp"
#include "cli/output.hpp"

#include <fmt/format.h>

namespace kindling::cli {

namespace {

int models(const CommonOptions& common) {
  std::vector<std::vector<std::string>> rows = {{"model", "size", "weights"}};
  for (const std::string& name : model_names()) {
    const ModelInfo& info = model_info(name);
    if (common.json) put_json({{"name", info.name}, {"size", info.size}, {"weights", info.weights}});
    rows.push_back({info.name, std::to_string(info.size), info.weights.empty() ? "none" : info.weights});
  }
  if (!common.json) put(in_columns(rows, {false, true}));
  return 0;
}

}  // namespace

Command add_models(CLI::App& program) {
  auto common = std::make_shared<CommonOptions>();
  CLI::App* app = program.add_subcommand("models", "List the models that `train --arch` knows");
  add_common_options(*app, *common);
  app->footer("Example:\n  kindling models");
  return {app, [common] { return models(*common); }};
}

}  // namespace kindling::cli
