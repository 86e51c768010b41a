#pragma once
/// The course's one-line doors from a folder of pictures to batches.
///
///   auto dls = ImageDataLoaders::from_name_func(path, get_image_files(path), is_cat,
///                                               {.valid_pct = 0.2, .seed = 42, .item_tfms = {Resize(224)}});

#include <kindling/data/datablock.hpp>
#include <kindling/vision/image_block.hpp>

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
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
  torch::Device device = default_device();
  Cache cache = Cache::automatic;
  std::string train = "train";
  std::string valid = "valid";
  std::vector<std::string> vocab = {};
  ImageBlockOptions image = {};
  /// What the target is; left out: told by the labels.
  std::optional<Block> y_block = std::nullopt;

  // Of from_df and from_csv:
  ColumnRef fn_col = 0;          ///< names of files
  std::string folder = "";       ///< of the files, below the path
  std::string suff = "";         ///< put to the names, e.g. ".jpg"
  ColumnRefs label_col = 1;      ///< several: each holds a label
  std::string label_delim = "";  ///< between several labels in one cell
  std::optional<ColumnRef> valid_col =
      std::nullopt;       ///< true for rows that validate, instead of a random part
  TableOptions csv = {};  ///< of from_csv: delimiter, header, encoding …
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
  /// Rows of a table: a file's name and its label, or several labels (of several columns, or with
  /// `label_delim`). (fastai `from_df`)
  static DataLoaders from_df(const Table& table, const fs::path& path = ".", const Options& options = {});
  /// The table in a file below `path`. (fastai `from_csv`)
  static DataLoaders from_csv(const fs::path& path, const std::string& csv_fname,
                              const Options& options = {});
  /// The table in `path / "labels.csv"`.
  static DataLoaders from_csv(const fs::path& path, const Options& options = {});

  /// One label a file, in the order of the files: a text (or a whole number) for a class, a list of texts for
  /// several classes, a number with a point or a list of numbers for a regression, Points for points.
  template <class Label>
  static DataLoaders from_lists(const fs::path& path, const Paths& files, const std::vector<Label>& labels,
                                const Options& options = {}) {
    Items values;
    for (const Label& label : labels) values.push_back(detail::to_value(label));
    return from_values(path, files, std::move(values), default_block<Label>(options), options);
  }

 private:
  template <class Label>
  static Block default_block(const Options& options) {
    if constexpr (std::same_as<Label, std::vector<std::string>> || std::same_as<Label, Categories>)
      return MultiCategoryBlock({.vocab = options.vocab});
    else if constexpr (std::is_floating_point_v<Label> || std::same_as<Label, std::vector<double>> ||
                       std::same_as<Label, std::vector<float>> || std::same_as<Label, Numbers>)
      return RegressionBlock();
    else if constexpr (std::same_as<Label, Points> || std::same_as<Label, std::vector<Point>>)
      return PointBlock();
    else
      return CategoryBlock({.vocab = options.vocab});
  }
  static DataLoaders from_values(const fs::path& path, const Paths& files, Items labels, Block y_block,
                                 const Options& options);
};

}  // namespace kindling
