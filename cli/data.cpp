#include <kindling/core/interrupt.hpp>
#include <kindling/data/datasets.hpp>

#include "cli/command.hpp"
#include "cli/output.hpp"

#include <memory>

#include <fmt/format.h>

namespace kindling::cli {

namespace {

struct DataOptions {
  CommonOptions common;
  std::string name;
  std::string output;
  bool force = false;
};

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

Json to_json(const DataUrl& entry) {
  const fs::path path = data_path(entry);
  return {{"name", entry.name},   {"about", entry.about},     {"bytes", entry.bytes},
          {"url", entry.url}, {"here", is_there(path)}, {"path", path.string()}};
}

int list_data(const CommonOptions& common) {
  std::vector<std::vector<std::string>> rows = {{"name", "archive", "here", "about"}};
  for (const DataUrl& entry : detail::data_urls) {
    if (common.json) put_json(to_json(entry));
    rows.push_back({std::string(entry.name), entry.bytes == 0 ? "?" : human_bytes(entry.bytes),
                    is_there(data_path(entry)) ? "yes" : "no", std::string(entry.about)});
  }
  if (!common.json) put(in_columns(rows, {false, true}));
  return 0;
}

int get_data(const DataOptions& o) {
  install_interrupt_handler();
  const bool is_address = o.name.find("://") != std::string::npos;
  const DataUrl entry = is_address ? DataUrl{.url = o.name} : find_data_url(o.name);
  UntarOptions options;
  options.data = o.output;
  options.force_download = o.force;
  options.listener = make_listener(o.common);
  const fs::path path = is_address ? untar_data(o.name, options) : untar_data(entry, options);
  if (o.common.json) {
    put_json({{"event", "done"}, {"name", entry.name}, {"path", path.string()}});
  } else {
    put(safe(path.string()) + "\n");
  }
  return 0;
}

}  // namespace

Command add_data(CLI::App& program) {
  CLI::App* app = program.add_subcommand("data", "Data sets of the course by name: what there is, fetch one");
  app->require_subcommand(1);
  app->footer("Examples:\n  kindling data list\n  kindling data get pets");
  auto o = std::make_shared<DataOptions>();

  CLI::App* list_app = app->add_subcommand("list", "Names, sizes, and which are here");
  add_common_options(*list_app, o->common);
  list_app->footer("Example:\n  kindling data list --json");

  CLI::App* get_app = app->add_subcommand("get", "Fetch a data set, check and unpack it, and print its folder");
  get_app->add_option("NAME", o->name, "name in the list, or the address of a .tgz, .tar or .zip")->required();
  get_app->add_option("-o,--output", o->output, "folder that it is put into ($KINDLING_HOME/data)")
      ->type_name("FOLDER");
  get_app->add_flag("--force", o->force, "fetch it again, and replace the folder");
  add_common_options(*get_app, o->common);
  get_app->footer("Examples:\n  kindling data get mnist_sample\n  kindling look \"$(kindling data get mnist_sample)\"");

  return {app, [=] { return get_app->parsed() ? get_data(*o) : list_data(o->common); }};
}

}  // namespace kindling::cli
