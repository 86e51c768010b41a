#include <kindling/core/random.hpp>
#include <kindling/core/thread_pool.hpp>
#include <kindling/data/picture.hpp>
#include <kindling/vision/codec.hpp>

#include "cli/command.hpp"
#include "cli/output.hpp"
#include "cli/photo_set.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling::cli {

namespace {

constexpr int cell_side = 224;

struct LookOptions {
  CommonOptions common;
  DataFlags data;
  std::string split = "train";
  int max_n = 9;
  std::string output = "look.png";
};

/// How large the photos are, by their number of pixels.
struct Sizes {
  Size smallest, median, largest;
  std::map<std::string, std::size_t> formats;
};

Sizes measure(const PhotoSet& set, int threads) {
  std::vector<ImageInfo> infos(set.photos.size());
  ThreadPool(threads).for_each(
      infos.size(), [&](std::size_t i) { infos[i] = image_info(MappedFile(set.photos[i].path).bytes()); });
  const auto pixels = [](const ImageInfo& info) { return std::int64_t{info.size.width} * info.size.height; };
  std::ranges::stable_sort(infos, {}, pixels);
  Sizes sizes{infos.front().size, infos[infos.size() / 2].size, infos.back().size, {}};
  for (const ImageInfo& info : infos) ++sizes.formats[std::string(name_of(info.format))];
  return sizes;
}

/// Photos drawn at random, from each class in turn.
std::vector<std::int64_t> choose(const PhotoSet& set, const LookOptions& o) {
  const bool train = o.split == "train";
  const auto& from = train ? set.splits.train : set.splits.valid;
  if (from.empty()) {
    throw Error(ErrorCode::bad_data, "there are no photos in this split", {{"--split", o.split}},
                std::string("look at the other one with --split ") + (train ? "valid" : "train"));
  }
  CounterRng rng(o.common.seed);
  std::map<std::string, std::vector<std::int64_t>> by_class;
  for (std::int64_t at : permutation(static_cast<std::int64_t>(from.size()), rng))
    by_class[set.photos[from[at]].label].push_back(from[at]);
  std::vector<std::int64_t> chosen;
  for (std::size_t round = 0; chosen.size() < static_cast<std::size_t>(o.max_n); ++round) {
    const std::size_t before = chosen.size();
    for (const auto& [label, photos] : by_class) {
      if (round < photos.size() && chosen.size() < static_cast<std::size_t>(o.max_n))
        chosen.push_back(photos[round]);
    }
    if (chosen.size() == before) break;
  }
  return chosen;
}

Picture contact_sheet(const PhotoSet& set, const LookOptions& o) {
  // A cell's photo need not be decoded larger than twice the cell.
  const auto reduction = [](Size size) {
    int by = 1;
    while (by < 8 && std::max(size.width, size.height) / (2 * by) >= 2 * cell_side) by *= 2;
    return by;
  };
  std::vector<GridCell> cells;
  for (std::int64_t i : choose(set, o)) {
    const Photo& photo = set.photos[i];
    cells.push_back(
        {open_image(photo.path, {.exif_orientation = !o.data.no_exif, .reduction = reduction}), photo.label});
  }
  return draw_grid(cells, {.cell = cell_side});
}

std::string class_table(const PhotoSet& set) {
  std::vector<std::vector<std::string>> rows = {{"class", "train", "valid", "photos"}};
  for (const auto& [label, n] : set.counts()) {
    rows.push_back(
        {safe(label), std::to_string(n.first), std::to_string(n.second), std::to_string(n.first + n.second)});
  }
  rows.push_back({"total", std::to_string(set.splits.train.size()), std::to_string(set.splits.valid.size()),
                  std::to_string(set.photos.size())});
  return in_columns(rows, {false, true, true, true});
}

std::string in_words(Size size) {
  return fmt::format("{} x {}", size.width, size.height);
}

void show(const PhotoSet& set, const Sizes& sizes, const Picture& sheet, const LookOptions& o) {
  std::vector<std::string> formats;
  for (const auto& [format, n] : sizes.formats) formats.push_back(fmt::format("{} {}", n, format));
  put(fmt::format("{}: {} of {}; {}\n\n", safe(o.data.data), count_of(set.photos.size(), "photo", "photos"),
                  count_of(set.classes().size(), "class", "classes"), split_in_words(set)));
  put(class_table(set));
  put(fmt::format("\nsizes  {} to {}, median {}; {}\n", in_words(sizes.smallest), in_words(sizes.largest),
                  in_words(sizes.median), fmt::join(formats, ", ")));
  put(fmt::format("sheet  {}\n", safe(o.output)));
  if (const auto terminal = terminal_size())
    put("\n" + sheet.to_terminal(terminal->columns - 1, std::max(8, terminal->rows - 4)));
}

Json to_json(const PhotoSet& set, const Sizes& sizes, const LookOptions& o) {
  Json classes = Json::object();
  for (const auto& [label, n] : set.counts()) classes[label] = {{"train", n.first}, {"valid", n.second}};
  Json excluded = Json::array();
  for (const Excluded& e : set.excluded)
    excluded.push_back({{"file", e.name}, {"code", e.code}, {"reason", e.reason}});
  const auto side = [](Size size) { return Json::array({size.width, size.height}); };
  return {{"data", o.data.data},
          {"photos", set.photos.size()},
          {"train", set.splits.train.size()},
          {"valid", set.splits.valid.size()},
          {"split", set.split_rule},
          {"classes", std::move(classes)},
          {"sizes",
           {{"smallest", side(sizes.smallest)},
            {"median", side(sizes.median)},
            {"largest", side(sizes.largest)}}},
          {"formats", sizes.formats},
          {"excluded", std::move(excluded)},
          {"sheet", o.output}};
}

int look(const LookOptions& o) {
  apply(o.common);
  // One object is all that --json prints here, so events are not passed on.
  const auto listener = o.common.json ? silent_listener() : make_listener(o.common);
  const PhotoSet set = read_photo_set(o.data, o.common, Purpose::look, listener);
  const Sizes sizes = measure(set, o.common.threads);
  const Picture sheet = contact_sheet(set, o);
  sheet.save(o.output);
  if (o.common.json)
    put_json(to_json(set, sizes, o));
  else if (!o.common.quiet)
    show(set, sizes, sheet, o);
  return 0;
}

}  // namespace

Command add_look(CLI::App& program) {
  auto o = std::make_shared<LookOptions>();
  CLI::App* app =
      program.add_subcommand("look", "Look at a folder of photos: classes, sizes, a contact sheet");
  add_data_flags(*app, o->data);
  app->add_option("--split", o->split, "the contact sheet's photos: train or valid (train)")
      ->check(CLI::IsMember({"train", "valid"}))
      ->type_name("SPLIT");
  app->add_option("--max-n", o->max_n, "photos on the contact sheet (9)")
      ->check(CLI::Range(1, 400))
      ->type_name("N");
  app->add_option("-o,--output", o->output, "where the contact sheet goes (look.png)")->type_name("FILE.png");
  add_common_options(*app, o->common);
  app->footer(R"(Examples:
  kindling look photos/                       photos/cat/*.jpg, photos/dog/*.jpg …
  kindling look pets/ --label name-case:cat,dog -o pets.png
  kindling look photos/ --json)");
  return {app, [o] { return look(*o); }};
}

}  // namespace kindling::cli
