#include <kindling/core/error.hpp>
#include <kindling/data/datablock.hpp>

#include <algorithm>

namespace kindling {

namespace {

/// A getter for each of `n` blocks; the item itself where none is given.
std::vector<Getter> one_each(const std::vector<Getter>& given, int n, const char* name) {
  if (given.empty()) return std::vector<Getter>(n);
  if (static_cast<int>(given.size()) == n) return given;
  throw Error(ErrorCode::usage, std::string("there must be one function in ") + name + " for each of its blocks",
              {{"functions", given.size()}, {"blocks", n}},
              std::string("e.g. .") + name + " = {first, second}; .n_inp says how many of the blocks are inputs");
}

}  // namespace

DataBlock::DataBlock(DataBlockOptions options) : options_(std::move(options)) {
  const auto n = static_cast<int>(options_.blocks.size());
  if (n == 0) {
    throw Error(ErrorCode::usage, "a DataBlock needs blocks", {},
                "e.g. .blocks = {ImageBlock(), CategoryBlock()}");
  }
  const int n_inp = options_.n_inp.value_or(std::max(1, n - 1));
  if (n_inp < 1 || n_inp > n) {
    throw Error(ErrorCode::usage, "n_inp counts the blocks that are inputs",
                {{"n_inp", n_inp}, {"blocks", n}});
  }
  options_.n_inp = n_inp;
  if (options_.getters.empty()) {
    for (const Getter& getter : one_each(options_.get_x.list(), n_inp, "get_x")) options_.getters.push_back(getter);
    for (const Getter& getter : one_each(options_.get_y.list(), n - n_inp, "get_y")) options_.getters.push_back(getter);
  }
  if (static_cast<int>(options_.getters.size()) != n) {
    throw Error(ErrorCode::usage, "there must be a getter for each block",
                {{"getters", options_.getters.size()}, {"blocks", n}});
  }
}

Pipeline DataBlock::make_pipeline() const {
  Pipeline pipeline;
  for (const Block& block : options_.blocks) {
    pipeline.blocks.push_back(merge_transforms(block.type_tfms, {}));
    pipeline.item_tfms = merge_transforms(pipeline.item_tfms, block.item_tfms);
    pipeline.batch_tfms = merge_transforms(pipeline.batch_tfms, block.batch_tfms);
  }
  pipeline.item_tfms = merge_transforms(pipeline.item_tfms, options_.item_tfms);
  pipeline.batch_tfms = merge_transforms(pipeline.batch_tfms, options_.batch_tfms);
  pipeline.n_inp = *options_.n_inp;
  if (options_.blocks.size() > static_cast<std::size_t>(pipeline.n_inp)) {
    pipeline.target = options_.blocks[pipeline.n_inp].target;
  }
  return pipeline;
}

DataBlock DataBlock::from_columns(DataBlockOptions options,
                                  std::function<std::vector<Items>(const fs::path&)> get_columns) {
  if (options.getters.empty() && options.get_x.list().empty() && options.get_y.list().empty()) {
    for (std::size_t b = 0; b < options.blocks.size(); ++b) options.getters.push_back(ItemGetter(static_cast<int>(b)));
  }
  if (get_columns) {
    options.get_items = [get_columns](const fs::path& source) { return zip_columns(get_columns(source)); };
  }
  return DataBlock(std::move(options));
}

Items DataBlock::find_items(const fs::path& source) const {
  if (!options_.get_items) {
    throw Error(ErrorCode::usage, "this DataBlock does not know how to find items", {{"source", source}},
                "say .get_items = get_image_files, or give the items themselves");
  }
  Items items = options_.get_items(source);
  if (items.empty()) {
    throw Error(ErrorCode::not_found, "no items were found in this folder", {{"path", source}},
                "check that it holds files of the expected kind (pictures end in .jpg, .png, …)");
  }
  return items;
}

Datasets DataBlock::datasets(const fs::path& source) const {
  return datasets(find_items(source));
}

Splits DataBlock::split(const Items& items) const {
  if (items.empty()) throw Error(ErrorCode::bad_data, "there are no items");
  Splits splits = options_.splitter(items);
  if (splits.train.empty() || splits.valid.empty()) {
    throw Error(ErrorCode::bad_data, "the split leaves a side without items",
                {{"items", items.size()}, {"train", splits.train.size()}, {"valid", splits.valid.size()}},
                "use more items, or another splitter or valid_pct");
  }
  return splits;
}

Datasets DataBlock::datasets(Items items) const {
  Splits splits = split(items);
  return Datasets(std::move(items), options_.getters, std::move(splits), make_pipeline());
}

DataLoaders DataBlock::dataloaders(const fs::path& source, const LoaderOptions& options) const {
  return DataLoaders(datasets(source), options);
}

DataLoaders DataBlock::dataloaders(Items items, const LoaderOptions& options) const {
  return DataLoaders(datasets(std::move(items)), options);
}

DataBlock DataBlock::with(Tfms tfms) const {
  DataBlockOptions changed = options_;
  changed.item_tfms = std::move(tfms.item_tfms);
  changed.batch_tfms = std::move(tfms.batch_tfms);
  return DataBlock(std::move(changed));
}

}  // namespace kindling
