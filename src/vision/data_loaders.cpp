#include <kindling/core/error.hpp>
#include <kindling/vision/data_loaders.hpp>

#include <map>

namespace kindling {

namespace {

LoaderOptions loader_options(const ImageDataLoadersOptions& o) {
  LoaderOptions loader{.bs = o.bs,
                       .val_bs = o.val_bs,
                       .shuffle = o.shuffle,
                       .num_workers = o.num_workers,
                       .device = o.device,
                       .cache = o.cache};
  if (o.seed) loader.seed = *o.seed;
  return loader;
}

/// What the factories have in common: a picture and one target.
DataLoaders from_block(Items items, Splitter splitter, Getter get_x, Getter get_y, Block y_block,
                       const ImageDataLoadersOptions& o) {
  DataBlock block({.blocks = {ImageBlock(o.image), o.y_block.value_or(std::move(y_block))},
                   .splitter = std::move(splitter),
                   .getters = {std::move(get_x), std::move(get_y)},
                   .item_tfms = o.item_tfms,
                   .batch_tfms = o.batch_tfms});
  return block.dataloaders(std::move(items), loader_options(o));
}

DataLoaders from_block(Items items, Splitter splitter, Getter get_y, const ImageDataLoadersOptions& o) {
  return from_block(std::move(items), std::move(splitter), {}, std::move(get_y),
                    CategoryBlock({.vocab = o.vocab}), o);
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
  return from_path_func(path, files, [label](const fs::path& p) { return label(p.filename().string()); }, o);
}

DataLoaders ImageDataLoaders::from_path_re(const fs::path& path, const Paths& files,
                                           const std::string& pattern, const Options& o) {
  RegexLabeller labeller(pattern);
  return from_path_func(path, files, [labeller](const fs::path& p) { return labeller(p); }, o);
}

DataLoaders ImageDataLoaders::from_name_re(const fs::path& path, const Paths& files,
                                           const std::string& pattern, const Options& o) {
  RegexLabeller labeller(pattern);
  return from_name_func(path, files, [labeller](const std::string& name) { return labeller(name); }, o);
}

DataLoaders ImageDataLoaders::from_df(const Table& table, const fs::path& path, const Options& o) {
  const fs::path folder = o.folder.empty() ? path : path / o.folder;
  const bool several = o.label_col.list().size() > 1 || !o.label_delim.empty();
  Block y_block = several ? MultiCategoryBlock({.vocab = o.vocab}) : CategoryBlock({.vocab = o.vocab});
  Splitter splitter = RandomSplitter(o.valid_pct.value_or(0.2), o.seed);
  if (o.valid_col) splitter = ColSplitter(*o.valid_col);
  return from_block(rows_of(table), std::move(splitter),
                    ColReader(o.fn_col, {.pref = folder, .suff = o.suff}),
                    ColReader(o.label_col, {.label_delim = o.label_delim}), std::move(y_block), o);
}

DataLoaders ImageDataLoaders::from_csv(const fs::path& path, const std::string& csv_fname, const Options& o) {
  TableOptions csv = o.csv;
  // A file called 007 is not called 7.
  csv.as_text.push_back(o.fn_col);
  return from_df(read_table(path / csv_fname, csv), path, o);
}

DataLoaders ImageDataLoaders::from_csv(const fs::path& path, const Options& o) {
  return from_csv(path, "labels.csv", o);
}

DataLoaders ImageDataLoaders::from_values(const fs::path& path, const Paths& files, Items labels,
                                          Block y_block, const Options& o) {
  if (files.size() != labels.size()) {
    throw Error(ErrorCode::usage, "there must be one label for each file",
                {{"files", files.size()}, {"labels", labels.size()}});
  }
  auto by_path = std::make_shared<std::map<fs::path, Value>>();
  for (std::size_t i = 0; i < files.size(); ++i) (*by_path)[files[i]] = std::move(labels[i]);
  return from_block(
      found_items(files, path), RandomSplitter(o.valid_pct.value_or(0.2), o.seed), {},
      [by_path](const fs::path& p) { return by_path->at(p); }, std::move(y_block), o);
}

}  // namespace kindling
