#pragma once
/// The course's one-line doors from a folder of pictures to batches.
///
///   auto dls = ImageDataLoaders::from_name_func(path, get_image_files(path), is_cat,
///                                               {.valid_pct = 0.2, .seed = 42, .item_tfms = {Resize(224)}});

#include <kindling/data/datablock.hpp>
#include <kindling/vision/image_block.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kindling {

/// Options of all factories. `valid_pct` left out: from_folder splits by its `train` and `valid` folders, the
/// others take one fifth at random.
struct ImageDataLoadersOptions {
  std::optional<double> valid_pct = std::nullopt;
  std::optional<std::uint64_t> seed = std::nullopt;  ///< of the split (fastai's permutation) and of all draws
  Transforms item_tfms = {};
  Transforms batch_tfms = {};
  int bs = 64;
  std::optional<int> val_bs = std::nullopt;
  bool shuffle = true;
  int num_workers = -1;
  torch::Device device = torch::kCPU;
  std::string train = "train";
  std::string valid = "valid";
  std::vector<std::string> vocab = {};
  ImageBlockOptions image = {};
};

struct ImageDataLoaders {
  using Options = ImageDataLoadersOptions;
  /// One folder a class, below `train` and `valid` folders, or anywhere with `valid_pct`.
  static DataLoaders from_folder(const fs::path& path, const Options& options = {});
  /// Labels from the whole path.
  static DataLoaders from_path_func(const fs::path& path, const Paths& files,
                                    const std::function<std::string(const fs::path&)>& label,
                                    const Options& options = {});
  /// Labels from the file's name.
  static DataLoaders from_name_func(const fs::path& path, const Paths& files,
                                    const std::function<std::string(const std::string&)>& label,
                                    const Options& options = {});
  /// Labels by the first group of a regular expression in the path, or in the name.
  static DataLoaders from_path_re(const fs::path& path, const Paths& files, const std::string& pattern,
                                  const Options& options = {});
  static DataLoaders from_name_re(const fs::path& path, const Paths& files, const std::string& pattern,
                                  const Options& options = {});
  /// One label a file, in the order of the files.
  static DataLoaders from_lists(const fs::path& path, const Paths& files,
                                const std::vector<std::string>& labels, const Options& options = {});
};

}  // namespace kindling
