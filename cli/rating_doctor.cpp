#include <kindling/collab/check.hpp>

#include "cli/findings.hpp"
#include "cli/output.hpp"
#include "cli/rating_set.hpp"
#include "cli/rating_task.hpp"

#include <memory>

#include <fmt/format.h>

namespace kindling::cli {

namespace {

struct DoctorRatingsOptions {
  CommonOptions common;
  RatingFlags data;
  bool strict = false;
};

int doctor(const DoctorRatingsOptions& o) {
  demand_cpu(o.common, "doctor");
  apply(o.common);
  const auto listener = o.common.json ? silent_listener() : make_listener(o.common);
  const auto [table, columns] = read_ratings(o.data, *listener);
  std::vector<Finding> found;
  for (const RatingFinding& f : check_ratings(
           table, {.user_name = columns.user, .item_name = columns.item, .rating_name = columns.rating}))
    found.push_back({std::string(name_of(f.problem)), "", f.text});
  return tell_findings({.data = o.data.data,
                        .size = {{"ratings", table.n_rows()}},
                        .words = fmt::format("{} ratings ({}, {}, {})", table.n_rows(), safe(columns.user), safe(columns.item),
                                             safe(columns.rating))},
                       found, o.common, o.strict);
}

}  // namespace

Command add_doctor_ratings(CLI::App& program) {
  auto o = std::make_shared<DoctorRatingsOptions>();
  CLI::App* app = program.add_subcommand("doctor", "Is anything wrong with ratings?");
  add_rating_flags(*app, o->data);
  app->add_flag("--strict", o->strict, "exit with code 3 when something is found");
  add_common_options(*app, o->common);
  app->footer(R"(Nothing is changed on disk.

Examples:
  kindling doctor ratings.csv
  kindling doctor ratings.csv --titles movies.csv --json)");
  return {app, [o] { return doctor(*o); }};
}

}  // namespace kindling::cli
