#include <kindling/core/error.hpp>
#include <kindling/vision/data_loaders.hpp>

#include <map>

namespace kindling {

namespace {

LoaderOptions loader_options(const ImageDataLoadersOptions& o) {
  LoaderOptions loader{
      .bs = o.bs, .val_bs = o.val_bs, .shuffle = o.shuffle, .num_workers = o.num_workers, .device = o.device};
  if (o.seed) loader.seed = *o.seed;
  return loader;
}

DataLoaders from_block(Items items, Splitter splitter, Getter get_y, const ImageDataLoadersOptions& o) {
  DataBlock block({.blocks = {ImageBlock(o.image), CategoryBlock({.vocab = o.vocab})},
                   .splitter = std::move(splitter),
                   .get_y = std::move(get_y),
                   .item_tfms = o.item_tfms,
                   .batch_tfms = o.batch_tfms});
  return block.dataloaders(std::move(items), loader_options(o));
}

Items found_items(const Paths& files, const fs::path& path) {
  if (files.empty()) {
    throw Error(ErrorCode::not_found, "there are no picture files", {{"path", path}},
                "check the folder: picture files end in .jpg, .png, .webp, …");
  }
  return to_items(files);
}

}  // namespace

DataLoaders ImageDataLoaders::from_folder(const fs::path& path, const Options& o) {
  if (o.valid_pct) {
    return from_block(found_items(get_image_files(path), path), RandomSplitter(*o.valid_pct, o.seed),
                      parent_label, o);
  }
  Paths files = get_image_files(path, {.folders = {o.train, o.valid}});
  if (files.empty() && !get_image_files(path).empty()) {
    throw Error(ErrorCode::not_found, "the folder has no pictures below the folders that split it",
                {{"path", path}, {"expected", o.train + "/ and " + o.valid + "/"}},
                "name the folders with .train and .valid, or split at random with .valid_pct = 0.2");
  }
  return from_block(found_items(files, path), GrandparentSplitter({o.train}, {o.valid}), parent_label, o);
}

DataLoaders ImageDataLoaders::from_path_func(const fs::path& path, const Paths& files,
                                             const std::function<std::string(const fs::path&)>& label,
                                             const Options& o) {
  return from_block(found_items(files, path), RandomSplitter(o.valid_pct.value_or(0.2), o.seed), label, o);
}

DataLoaders ImageDataLoaders::from_name_func(const fs::path& path, const Paths& files,
                                             const std::function<std::string(const std::string&)>& label,
                                             const Options& o) {
  return from_path_func(
      path, files, [label](const fs::path& p) { return label(p.filename().string()); }, o);
}

DataLoaders ImageDataLoaders::from_path_re(const fs::path& path, const Paths& files,
                                           const std::string& pattern, const Options& o) {
  RegexLabeller labeller(pattern);
  return from_path_func(
      path, files, [labeller](const fs::path& p) { return labeller(p); }, o);
}

DataLoaders ImageDataLoaders::from_name_re(const fs::path& path, const Paths& files,
                                           const std::string& pattern, const Options& o) {
  RegexLabeller labeller(pattern);
  return from_name_func(
      path, files, [labeller](const std::string& name) { return labeller(name); }, o);
}

DataLoaders ImageDataLoaders::from_lists(const fs::path& path, const Paths& files,
                                         const std::vector<std::string>& labels, const Options& o) {
  if (files.size() != labels.size()) {
    throw Error(ErrorCode::usage, "there must be one label for each file",
                {{"files", files.size()}, {"labels", labels.size()}});
  }
  auto by_path = std::make_shared<std::map<fs::path, std::string>>();
  for (std::size_t i = 0; i < files.size(); ++i) (*by_path)[files[i]] = labels[i];
  return from_path_func(
      path, files, [by_path](const fs::path& p) { return by_path->at(p); }, o);
}

}  // namespace kindling
