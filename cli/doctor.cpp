#include <kindling/core/interrupt.hpp>

#include "cli/command.hpp"
#include "cli/health.hpp"
#include "cli/move_files.hpp"
#include "cli/output.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling::cli {

namespace {

constexpr std::size_t most_shown = 2;
constexpr std::size_t most_classes = 8;

struct DoctorOptions {
  CommonOptions common;
  DataFlags data;
  std::string html;
  std::string move_to;
  std::vector<std::string> move;
  std::string undo;
};

const std::vector<std::string> movable = {"broken", "duplicates", "similar", "labels"};

/// Collects files to be moved, each once, under the first reason.
class Moves {
 public:
  Moves(const HealthReport& report, const fs::path& root) : report_(report), root_(root) {}

  /// Of every case all files but the first `keep` ones.
  void add(HealthKind kind, std::size_t keep) {
    const HealthFinding* finding = report_.find(kind);
    if (finding == nullptr) return;
    for (const HealthCase& c : finding->cases) {
      for (std::size_t i = keep; i < c.items.size(); ++i) add_item(c.items[i], c, keep > 0);
    }
  }

  /// What one of these kinds names is not moved as a copy: which of them is right is not known.
  void spare(HealthKind kind) {
    if (const HealthFinding* finding = report_.find(kind); finding != nullptr) {
      for (const HealthCase& c : finding->cases) spared_.insert(c.items.begin(), c.items.end());
    }
  }

  std::vector<Move> take() && { return std::move(moves_); }

 private:
  void add_item(std::size_t i, const HealthCase& c, bool is_copy) {
    if (is_copy && spared_.count(i) != 0) return;
    if (!added_.insert(i).second) return;
    const std::string first = name_below(root_, report_.items[c.items.front()]);
    moves_.push_back({name_below(root_, report_.items[i]), is_copy ? "copy of " + first : c.detail});
  }

  const HealthReport& report_;
  const fs::path& root_;
  std::set<std::size_t> added_, spared_;
  std::vector<Move> moves_;
};

std::vector<Move> moves_of(const HealthReport& report, const fs::path& root,
                           const std::vector<std::string>& wanted) {
  const auto wants = [&](const char* what) { return std::ranges::find(wanted, what) != wanted.end(); };
  Moves moves(report, root);
  moves.spare(HealthKind::two_labels);
  moves.spare(HealthKind::similar_two_labels);
  using enum HealthKind;
  if (wants("broken"))
    for (const HealthKind kind : {not_a_picture, unsupported, truncated, damaged}) moves.add(kind, 0);
  if (wants("labels"))
    for (const HealthKind kind : {two_labels, similar_two_labels}) moves.add(kind, 0);
  if (wants("duplicates"))
    for (const HealthKind kind : {in_both_splits, duplicate}) moves.add(kind, 1);
  if (wants("similar"))
    for (const HealthKind kind : {similar_in_both_splits, similar}) moves.add(kind, 1);
  return std::move(moves).take();
}

std::string classes_line(const HealthReport& report) {
  if (report.classes.empty()) return "";
  std::vector<std::string> parts;
  for (const auto& [label, n] : report.classes)
    parts.push_back(fmt::format("{} {}", safe(label), n.photos()));
  if (parts.size() <= most_classes) return fmt::format("classes: {}\n", fmt::join(parts, ", "));
  const auto photos = [](const auto& entry) { return entry.second.photos(); };
  const auto [least, most] = std::ranges::minmax_element(report.classes, {}, photos);
  return fmt::format("classes: {}, of {} ({}) to {} ({}) photos\n", parts.size(), photos(*least),
                     safe(least->first), photos(*most), safe(most->first));
}

void show_finding(const HealthFinding& finding, const HealthReport& report, const fs::path& root) {
  const std::string space(9, ' ');
  put(fmt::format("\n{:<9}{}\n", name_of(finding.severity()), finding.what()));
  const std::size_t shown = std::min(most_shown, finding.cases.size());
  for (std::size_t i = 0; i < shown; ++i) put(space + in_a_line(finding.cases[i], report, root) + "\n");
  if (shown < finding.cases.size()) put(fmt::format("{}and {} more\n", space, finding.cases.size() - shown));
  put(fmt::format("{}try: {}\n", space, finding.advice()));
}

void show(const HealthReport& report, const PhotoSet& set, const DoctorOptions& o) {
  const bool quiet = o.common.quiet;
  if (!quiet) {
    put(fmt::format("{}: {}", safe(o.data.data), count_of(report.items.size(), "file", "files")));
    if (!set.splits.train.empty() || !set.splits.valid.empty()) put("; " + split_in_words(set));
    put("\n" + classes_line(report));
  }
  std::vector<std::string> notes;
  for (const HealthFinding& finding : report.findings) {
    if (finding.severity() != Severity::note)
      show_finding(finding, report, set.root);
    else
      notes.push_back(
          fmt::format("{} ({})", finding.what(), in_a_line(finding.cases.front(), report, set.root)));
  }
  if (!notes.empty() && !quiet) put(fmt::format("\nseen, and no harm:\n  {}\n", fmt::join(notes, "\n  ")));
  put((quiet ? "" : "\n") + report.verdict() + "\n");
}

void tell_outcome(const HealthReport& report, const std::vector<Move>& moves, const DoctorOptions& o) {
  if (!o.html.empty()) put(fmt::format("page   {}\n", safe(o.html)));
  if (!o.move_to.empty()) {
    put(fmt::format("moved  {} to {}\n", count_of(moves.size(), "file", "files"), safe(o.move_to)));
    if (!moves.empty()) put(fmt::format("       kindling doctor --undo {}\n", shell_word(o.move_to)));
  }
  if (o.html.empty() && !report.findings.empty())
    put(fmt::format("see them: {} --html health.html\n", safe(doctor_command(o.data))));
}

Json to_json(const HealthReport& report, const PhotoSet& set, const std::vector<Move>& moves,
             const DoctorOptions& o) {
  Json json = {{"data", o.data.data},
               {"photos", set.photos.size()},
               {"train", set.splits.train.size()},
               {"valid", set.splits.valid.size()},
               {"split", set.split_rule}};
  json.update(report.to_json(set.root));
  if (!o.html.empty()) json["html"] = o.html;
  if (o.move_to.empty()) return json;
  Json moved = Json::array();
  for (const Move& move : moves) moved.push_back({{"file", move.name}, {"reason", move.reason}});
  json["moved"] = {{"to", o.move_to}, {"files", std::move(moved)}};
  return json;
}

int undo(const DoctorOptions& o) {
  const Undone undone = undo_moves(o.undo);
  if (o.common.json)
    put_json({{"back", undone.back}, {"left", undone.left}});
  else
    put(fmt::format("{} back\n", count_of(undone.back, "file is", "files are")));
  if (undone.left.empty()) return 0;
  Error error(ErrorCode::bad_data,
              fmt::format("{} not brought back", count_of(undone.left.size(), "file was", "files were")), {},
              "make room where they came from, and run it again");
  for (const std::string& left : undone.left)
    error.with(Fact("file " + std::to_string(error.facts().size() + 1), left));
  throw error;
}

int check(const DoctorOptions& o) {
  // One object is all that --json prints here, so events are not passed on.
  const auto listener = o.common.json ? silent_listener() : make_listener(o.common);
  const PhotoSet set = read_photo_set(o.data, o.common, Purpose::check, listener);
  const HealthReport report = health_of(set, o.data, o.common, listener);
  if (!o.html.empty()) {
    write_file(
        o.html,
        std::string_view(health_page(
            report, {.root = set.root, .exif_orientation = !o.data.no_exif, .threads = o.common.threads})));
  }
  std::vector<Move> moves;
  if (!o.move_to.empty()) {
    moves = moves_of(report, set.root, o.move);
    move_files(set.root, moves, o.move_to);
  }
  if (o.common.json) {
    put_json(to_json(report, set, moves, o));
  } else {
    show(report, set, o);
    if (!o.common.quiet) tell_outcome(report, moves, o);
  }
  const bool fails = o.data.strict && report.count(Severity::error) > 0;
  return fails ? exit_code(ErrorCode::bad_data) : 0;
}

int doctor(DoctorOptions& o) {
  install_interrupt_handler();
  demand_cpu(o.common, "doctor");
  if (!o.undo.empty()) {
    if (o.data.data.empty()) return undo(o);
    throw Error(ErrorCode::usage, "--undo takes no DATA: the list in its folder says where files came from",
                {}, "kindling doctor --undo " + shell_word(o.undo));
  }
  if (o.data.data.empty()) {
    throw Error(ErrorCode::usage, "DATA is required", {}, "kindling doctor photos/");
  }
  if (o.move.empty()) o.move = {"broken", "duplicates"};
  o.data.examine = true;
  return check(o);
}

void add_doctor_flags(CLI::App& app, DoctorOptions& o) {
  add_data_flags(app, o.data);
  app.get_option("DATA")->required(false);
  app.get_option("--strict")->description("exit with code 3 when there are errors");
  app.add_option("--html", o.html, "write a page with thumbnails")->type_name("FILE.html");
  CLI::Option* to = app.add_option("--move-to", o.move_to,
                                   "move the files of errors to a folder, with a list by which --undo brings "
                                   "them back; without it nothing is changed")
                        ->type_name("FOLDER");
  app.add_option("--move", o.move,
                 "which: broken (files that are no pictures, end early …), duplicates (equal files but the "
                 "first), similar (copies that look the same, but the first), labels (all copies of a photo "
                 "with two labels) (broken,duplicates)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(movable))
      ->needs(to)
      ->type_name("WHICH");
  app.add_option("--undo", o.undo, "bring back what --move-to moved to a folder")->type_name("FOLDER");
}

}  // namespace

Command add_doctor(CLI::App& program) {
  auto o = std::make_shared<DoctorOptions>();
  CLI::App* app = program.add_subcommand(
      "doctor", "Check a folder of photos: broken files, copies, wrong labels, uneven classes");
  add_doctor_flags(*app, *o);
  add_common_options(*app, o->common);
  app->footer(
      R"(Every photo is opened once. Errors spoil a training or its figures, warnings want to be looked at.

Examples:
  kindling doctor photos/
  kindling doctor photos/ --html health.html          the same with pictures
  kindling doctor photos/ --move-to photos-removed    take broken files and copies out
  kindling doctor --undo photos-removed               and bring them back)");
  return {app, [o] { return doctor(*o); }};
}

}  // namespace kindling::cli
