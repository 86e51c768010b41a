#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/vision/collect.hpp>

#include "cli/command.hpp"
#include "cli/output.hpp"
#include "core/portable_name.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include <fmt/format.h>

namespace kindling::cli {

namespace {

struct CollectOptions {
  CommonOptions common;
  std::vector<std::string> terms;
  std::string output = "photos";
  int n = 150;
  std::string provider = "openverse";
  std::string address;
  DownloadImagesOptions download;
  int timeout_s = 60;
  int max_megabytes = 32;
};

/// What is searched for, and the folder that it goes into.
struct Kind {
  std::string term;
  std::string folder;
};

/// `TERM`, or `FOLDER=TERM`.
std::vector<Kind> kinds_of(const std::vector<std::string>& terms) {
  std::vector<Kind> kinds;
  std::set<std::string> folders;
  for (const std::string& text : terms) {
    const auto equals = text.find('=');
    const std::string label = text.substr(0, equals);
    const std::string term = equals == std::string::npos ? text : text.substr(equals + 1);
    if (label.find_first_not_of(' ') == std::string::npos || term.find_first_not_of(' ') == std::string::npos)
      throw Error(ErrorCode::usage, "a term is empty", {{"got", text}}, "say what the photos show: \"grizzly bear\"");
    kinds.push_back({term, detail::portable_name(label)});
    if (!folders.insert(kinds.back().folder).second) {
      throw Error(ErrorCode::usage, "two terms would share one folder", {{"folder", kinds.back().folder}},
                  "give one of them another name: FOLDER=TERM");
    }
  }
  return kinds;
}

/// Photos of the terms so far.
struct Tally {
  std::string folder;
  std::size_t found = 0;
  CollectReport report;
};

constexpr std::array counted{CollectStatus::ok,      CollectStatus::duplicate, CollectStatus::unreadable,
                             CollectStatus::refused, CollectStatus::failed,    CollectStatus::removed};

Json counts_json(const Tally& tally) {
  Json json = {{"folder", tally.folder}, {"found", tally.found}};
  for (const CollectStatus status : counted) json[std::string(name_of(status))] = tally.report.count(status);
  return json;
}

Tally total_of(const std::vector<Tally>& tallies) {
  Tally total{.folder = "total", .found = 0, .report = {}};
  for (const Tally& tally : tallies) {
    total.found += tally.found;
    total.report.images.insert(total.report.images.end(), tally.report.images.begin(), tally.report.images.end());
  }
  return total;
}

/// Columns without a number anywhere are left out, but for the first two.
std::string table_of(std::vector<Tally> tallies) {
  const Tally total = total_of(tallies);
  if (tallies.size() > 1) tallies.push_back(total);
  std::vector<std::vector<std::string>> rows = {{"folder", "found", "photos"}};
  for (const Tally& tally : tallies) {
    rows.push_back({safe(tally.folder), std::to_string(tally.found),
                    std::to_string(tally.report.count(CollectStatus::ok))});
  }
  for (const CollectStatus status : counted) {
    if (status == CollectStatus::ok || total.report.count(status) == 0) continue;
    rows[0].push_back(status == CollectStatus::duplicate ? "duplicates" : std::string(name_of(status)));
    for (std::size_t i = 0; i < tallies.size(); ++i)
      rows[i + 1].push_back(std::to_string(tallies[i].report.count(status)));
  }
  return in_columns(rows, std::vector<bool>{false, true, true, true, true, true, true, true});
}

/// Passes everything on but the events, which carry the folder's name here.
class OfFolder final : public Listener {
 public:
  OfFolder(std::shared_ptr<Listener> shown, std::string folder)
      : shown_(std::move(shown)), folder_(std::move(folder)) {}
  void progress(const Progress& progress) override { shown_->progress(progress); }
  void message(Level level, std::string_view text) override { shown_->message(level, text); }
  void event(const Json& event) override {
    Json named = event;
    named["folder"] = folder_;
    shown_->event(named);
  }

 private:
  std::shared_ptr<Listener> shown_;
  std::string folder_;
};

class Collection {
 public:
  explicit Collection(const CollectOptions& o) : o_(o), kinds_(kinds_of(o.terms)), listener_(make_listener(o.common)) {}

  int run() {
    const ImageProvider provider = image_provider_from(o_.provider, {.address = o_.address});
    try {
      for (const Kind& kind : kinds_) collect(kind, provider);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::interrupted) throw;
      return interrupted();
    }
    return done();
  }

 private:
  fs::path csv() const { return fs::path(o_.output) / "sources.csv"; }

  void collect(const Kind& kind, const ImageProvider& provider) {
    SearchImagesOptions search{.max_images = o_.n, .provider = provider, .listener = listener_};
    search.fetch.allow_private = o_.download.allow_private;
    std::vector<ImageResult> found;
    try {
      found = search_images(kind.term, search);
    } catch (Error& e) {
      throw e.with("term", kind.term);
    }
    if (found.empty()) listener_->message(Level::warning, "nothing was found for " + kind.term);
    DownloadImagesOptions download = o_.download;
    download.sources = csv();
    download.timeout = std::chrono::seconds(o_.timeout_s);
    download.max_bytes = static_cast<std::uint64_t>(o_.max_megabytes) * 1'000'000;
    download.listener = std::make_shared<OfFolder>(listener_, kind.folder);
    tallies_.push_back({kind.folder, found.size(), {}});
    tallies_.back().report = download_images(fs::path(o_.output) / kind.folder, found, download);
    Json event = {{"event", "term"}, {"term", kind.term}};
    event.update(counts_json(tallies_.back()));
    listener_->event(event);
  }

  int interrupted() {
    if (o_.common.json) put_json({{"event", "interrupted"}, {"folder", o_.output}});
    if (!o_.common.json && !o_.common.quiet)
      put("\ninterrupted: what arrived is kept; the same command goes on from here\n");
    return exit_code(ErrorCode::interrupted);
  }

  int done() {
    const Tally total = total_of(tallies_);
    const std::size_t photos = total.report.count(CollectStatus::ok);
    if (o_.common.json) {
      Json event = {{"event", "done"}};
      event.update(counts_json(total));
      event["folder"] = o_.output;
      event["sources"] = csv().string();
      put_json(event);
    } else if (!o_.common.quiet) {
      show(photos);
    }
    if (photos > 0) return 0;
    const auto why = std::ranges::find_if(total.report.images, [](const auto& i) { return !i.reason.empty(); });
    throw Error(ErrorCode::not_found, "no photos were collected",
                {{"found", total.found}, {"reason", why == total.report.images.end() ? "" : why->reason}},
                "try other words, or another provider: --provider wikimedia");
  }

  void show(std::size_t photos) const {
    put("\n" + table_of(tallies_));
    if (photos == 0) return;
    put(fmt::format("\nsources  {}: each photo's page, author and licence\nnext     kindling look {}\n",
                    safe(csv().string()), safe(shell_word(o_.output))));
  }

  const CollectOptions& o_;
  std::vector<Kind> kinds_;
  std::shared_ptr<Listener> listener_;
  std::vector<Tally> tallies_;
};

int collect(const CollectOptions& o) {
  demand_cpu(o.common, "collect");
  install_interrupt_handler();
  return Collection(o).run();
}

void add_download_flags(CLI::App& app, CollectOptions& o) {
  DownloadImagesOptions& download = o.download;
  const std::string group = "Downloading";
  app.add_option("--max-size", download.max_size, "scale photos with a longer side to this many pixels (as they are)")
      ->check(CLI::Range(16, 20000))
      ->type_name("PIXELS")
      ->group(group);
  app.add_option("--parallel", download.parallel, "downloads at a time (8)")
      ->check(CLI::Range(1, 64))
      ->type_name("N")
      ->group(group);
  app.add_option("--timeout", o.timeout_s, "seconds for an attempt at one photo (60)")
      ->check(CLI::Range(1, 3600))
      ->type_name("SECONDS")
      ->group(group);
  app.add_option("--retries", download.retries, "further attempts at a photo (2)")
      ->check(CLI::Range(0, 20))
      ->type_name("N")
      ->group(group);
  app.add_option("--max-mb", o.max_megabytes, "larger files are refused (32)")
      ->check(CLI::Range(1, 2000))
      ->type_name("MB")
      ->group(group);
  app.add_flag("--allow-private", download.allow_private,
               "also from addresses in this machine and in private networks")
      ->group(group);
  app.add_flag("--again", download.again, "also photos that were taken out of the folder since")->group(group);
}

}  // namespace

Command add_collect(CLI::App& program) {
  auto o = std::make_shared<CollectOptions>();
  CLI::App* app = program.add_subcommand("collect", "Collect photos from the web, with their authors and licences");
  app->add_option("TERM", o->terms, "what the photos show; a folder for each. FOLDER=TERM names the folder")
      ->required();
  app->add_option("-o,--output", o->output, "folder for the folders (photos)")->type_name("FOLDER");
  app->add_option("--n", o->n, "photos to look for, of each term (150)")->check(CLI::Range(1, 10000))->type_name("N");
  app->add_option("--provider", o->provider,
                  "openverse, wikimedia, or list:FILE with an address a line (openverse)")
      ->type_name("NAME");
  app->add_option("--address", o->address, "another address of the provider, e.g. of a mirror")->type_name("URL");
  add_download_flags(*app, *o);
  add_common_options(*app, o->common);
  app->footer(R"(Only files that are pictures are kept, each once. FOLDER/sources.csv says where each came from, who
made it and under which licence: look there before you publish one. Interrupted, the same command
goes on where it stopped.

Examples:
  kindling collect "grizzly bear" "black bear" "teddy bear" -o bears --n 150
  kindling collect "teddy=teddy bear toy" -o bears --provider wikimedia --max-size 640
  kindling collect mine -o photos --provider list:addresses.txt)");
  return {app, [o] { return collect(*o); }};
}

}  // namespace kindling::cli
