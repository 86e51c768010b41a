#include "cli/photo_learner.hpp"

#include <kindling/core/error.hpp>
#include <kindling/nn/registry.hpp>

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

namespace kindling::cli {

namespace {

constexpr int usual_bs = 64;
constexpr int least_steps = 4;

/// A name on the command line that is not known is wrong usage, not a missing file.
template <class Find>
auto named_on_command_line(Find find) -> decltype(find()) {
  try {
    return find();
  } catch (const Error& e) {
    if (e.code() != ErrorCode::not_found) throw;
    throw Error(ErrorCode::usage, e.message(), e.facts(), e.hint());
  }
}

}  // namespace

void add_learner_flags(CLI::App& app, LearnerFlags& flags) {
  app.add_option("--arch", flags.arch, "the model, one of `kindling models` (efficientnet_lite0)")
      ->type_name("NAME");
  app.add_option("--bs", flags.bs, "photos in a batch (64, fewer for a small data set)")
      ->check(CLI::Range(2, 100000))
      ->type_name("N");
  app.add_option("--size", flags.size, "side of the square that photos are brought to (what the model is for)")
      ->check(CLI::Range(32, 4096))
      ->type_name("PIXELS");
  app.add_option("--resize", flags.resize, "how: crop, pad or squish (crop)")
      ->check(CLI::IsMember({"crop", "pad", "squish"}))
      ->type_name("HOW");
  app.add_option("--weights", flags.weights,
                 "pretrained weights, one of `kindling weights list` (the model's own)")
      ->type_name("NAME");
  app.add_flag("--no-pretrained", flags.no_pretrained,
               "begin with random weights; all layers train from the start");
  app.add_flag("--exact-decoding", flags.exact_decoding,
               "decode every pixel of large JPEGs (as fastai; slower)");
}

LearnerSettings learner_settings(const LearnerFlags& flags, bool exif, const std::shared_ptr<Listener>& listener) {
  const ModelInfo info = named_on_command_line([&] { return model_info(flags.arch); });
  LearnerSettings s{.size = flags.size.value_or(info.size),
                    .resize = resize_method_from(flags.resize),
                    .image = {.exif_orientation = exif, .reduced_decoding = !flags.exact_decoding}};
  if (flags.no_pretrained && !flags.weights.empty()) {
    throw Error(ErrorCode::usage, "--weights and --no-pretrained exclude each other", {},
                "leave one of them out");
  }
  if (flags.no_pretrained) return s;
  s.weights = flags.weights.empty() ? info.weights : flags.weights;
  const PretrainedEntry& entry =
      named_on_command_line([&]() -> const PretrainedEntry& { return find_pretrained(s.weights); });
  if (!fs::exists(cached_weights_path(entry))) pretrained_weights(entry.name, listener);
  return s;
}

int choose_bs(const LearnerFlags& flags, const PhotoSet& set, Listener& listener) {
  if (flags.bs) return *flags.bs;
  const int photos = static_cast<int>(set.splits.train.size());
  int bs = usual_bs;
  while (bs > least_steps && photos / bs < least_steps) bs /= 2;
  bs = std::min(bs, photos);
  if (bs != usual_bs) {
    listener.message(Level::info,
                     fmt::format("batches of {}, since {} training photos make too few of {} (--bs "
                                 "chooses another size)",
                                 bs, photos, usual_bs));
  }
  return bs;
}

DataLoaders photo_loaders(const PhotoSet& set, const LearnerSettings& s, int bs, const CommonOptions& common,
                          Cache cache) {
  auto labels = std::make_shared<std::unordered_map<std::string, Value>>();
  Items items;
  for (const Photo& photo : set.photos) {
    labels->emplace(photo.path.string(), set.several ? Value(Categories{photo.labels}) : Value(Category{photo.label}));
    items.emplace_back(photo.path);
  }
  const DataBlock block({.blocks = {ImageBlock(s.image), set.several ? MultiCategoryBlock() : CategoryBlock()},
                         .splitter = [splits = set.splits](const Items&) { return splits; },
                         .get_y = [labels](const fs::path& path) { return labels->at(path.string()); },
                         .item_tfms = {Resize(s.size, {.method = s.resize})}});
  return block.dataloaders(std::move(items), {.bs = bs,
                                              .num_workers = common.threads > 0 ? common.threads : -1,
                                              .seed = common.seed,
                                              .device = device_of(common),
                                              .cache = cache});
}

}  // namespace kindling::cli
