#include <kindling/core/random.hpp>
#include <kindling/core/thread_pool.hpp>
#include <kindling/data/picture.hpp>
#include <kindling/vision/codec.hpp>

#include "cli/command.hpp"
#include "cli/look_pictures.hpp"
#include "cli/output.hpp"
#include "cli/photo_set.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling::cli {

namespace {

struct LookOptions {
  CommonOptions common;
  DataFlags data;
  std::string split = "train";
  std::string only_class;
  bool each_class = false;
  bool augment = false;
  bool resize_methods = false;
  int size = 224;
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

/// The picture that the flags ask for.
Picture draw(const PhotoSet& set, const LookOptions& o) {
  const SheetOptions sheet{.split = o.split,
                           .only_class = o.only_class,
                           .max_n = o.max_n,
                           .seed = o.common.seed,
                           .exif_orientation = !o.data.no_exif};
  return o.each_class ? class_rows(set, sheet) : contact_sheet(set, sheet);
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

void show_in_terminal(const Picture& picture) {
  if (const auto terminal = terminal_size())
    put("\n" + picture.to_terminal(terminal->columns - 1, std::max(8, terminal->rows - 4)));
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
  show_in_terminal(sheet);
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

/// --augment and --resize-methods look at one photo: DATA itself, or the first photo of the folder.
int look_at_photo(const LookOptions& o) {
  fs::path photo = o.data.data;
  if (fs::is_directory(photo)) {
    const Paths photos = find_photos(photo);
    if (photos.empty()) {
      throw Error(ErrorCode::not_found, "there are no picture files", {{"path", photo}},
                  "give a photo, or a folder of photos");
    }
    photo = photos[CounterRng(o.common.seed).integer(0, static_cast<std::int64_t>(photos.size()) - 1)];
  }
  const Picture picture = o.augment ? augmented(photo, o.size, o.max_n - 1, o.common.seed, !o.data.no_exif)
                                    : resize_methods(photo, o.size, o.common.seed, !o.data.no_exif);
  picture.save(o.output);
  if (o.common.json) {
    put_json({{"photo", photo.string()}, {"shows", o.augment ? "augment" : "resize-methods"}, {"sheet", o.output}});
  } else if (!o.common.quiet) {
    put(fmt::format("photo  {}\nsheet  {}\n", safe(photo.string()), safe(o.output)));
    show_in_terminal(picture);
  }
  return 0;
}

int look(const LookOptions& o) {
  apply(o.common);
  if (o.augment || o.resize_methods) return look_at_photo(o);
  // One object is all that --json prints here, so events are not passed on.
  const auto listener = o.common.json ? silent_listener() : make_listener(o.common);
  const PhotoSet set = read_photo_set(o.data, o.common, Purpose::look, listener);
  const Sizes sizes = measure(set, o.common.threads);
  const Picture sheet = draw(set, o);
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
  app->add_option("--class", o->only_class, "only photos of this class")->type_name("NAME");
  app->add_flag("--each-class", o->each_class, "a row of photos for each class, --max-n in a row");
  auto* augment = app->add_flag("--augment", o->augment,
                                "one photo as training sees it in one epoch after another, augmented; DATA may be the photo");
  app->add_flag("--resize-methods", o->resize_methods, "one photo brought to a square in every way that there is")
      ->excludes(augment);
  app->add_option("--size", o->size, "side of the square for these two (224)")
      ->check(CLI::Range(8, 2048))
      ->type_name("PIXELS");
  app->add_option("--max-n", o->max_n, "photos on the contact sheet (9)")
      ->check(CLI::Range(1, 400))
      ->type_name("N");
  app->add_option("-o,--output", o->output, "where the contact sheet goes (look.png)")->type_name("FILE.png");
  add_common_options(*app, o->common);
  app->footer(R"(Examples:
  kindling look photos/                       photos/cat/*.jpg, photos/dog/*.jpg …
  kindling look pets/ --label name-case:cat,dog -o pets.png
  kindling look photos/ --each-class --max-n 6
  kindling look photos/cat/tom.jpg --augment  what augmentation makes of it
  kindling look photos/ --json)");
  return {app, [o] { return look(*o); }};
}

}  // namespace kindling::cli
