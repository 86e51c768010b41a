#pragma once
/// Tables to batches: codes of classes and numbers side by side, made once, column by column.
///
///   auto path = untar_data(urls::adult_sample);
///   auto dls = TabularDataLoaders::from_csv(path / "adult.csv", {.procs = {Categorify(), FillMissing(), Normalize()},
///       .cat_names = {"workclass", "education", "marital-status", "occupation", "relationship", "race"},
///       .cont_names = {{"age", "fnlwgt", "education-num"}}, .y_names = {"salary"}});
///   std::puts(dls.batch_table().c_str());

#include <kindling/data/block.hpp>
#include <kindling/data/dataloaders.hpp>
#include <kindling/data/table.hpp>
#include <kindling/tabular/procs.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kindling {

/// What `TabularData` makes of a table.
struct TabularOptions {
  TabularProcs procs = {};
  std::vector<std::string> cat_names = {};
  std::vector<std::string> cont_names = {};
  std::vector<std::string> y_names = {};
  /// What the target is; left out: classes where a column of it is no number, else numbers. Whole numbers that are classes need
  /// `CategoryBlock()`.
  std::optional<Block> y_block = std::nullopt;
  /// Left out: all rows train.
  std::optional<Splits> splits = std::nullopt;
};

/// The processing of a table after it has learnt: what a pipeline and an export hold. Immutable.
class TabularEncoder final : public BatchEncoder {
 public:
  static constexpr const char* encoder_name = "tabular";

  /// What the columns become: N x cats int64, N x conts float32, and the targets where `with_targets`: N int64 classes, or
  /// float32 numbers (N of one column, N x n of several). Throws `bad_data` naming columns and rows.
  Values encode(const Table& table, bool with_targets) const;
  /// Rows, or JSON objects as bytes: `{"age": 49, "workclass": "Private", …}`.
  Values encode(const std::vector<Value>& items, bool with_targets) const override;
  std::vector<Values> decode(const Values& batch) const override;
  std::vector<std::string> names() const override;
  std::vector<std::string> vocab() const override;
  int c() const override;
  std::string name() const override { return encoder_name; }
  Json to_json() const override;
  static std::shared_ptr<const TabularEncoder> from_json(const Json& json);
  /// The row as a JSON object of the columns that are inputs.
  Bytes to_bytes(const Value& item) const override;

  /// All columns of classes, with those that steps added.
  const std::vector<std::string>& cat_names() const { return cat_names_; }
  const std::vector<std::string>& cont_names() const { return cont_names_; }
  const std::vector<std::string>& y_names() const { return y_names_; }
  /// Columns that a table must have.
  std::vector<std::string> input_names() const;
  TargetKind target() const { return target_; }
  const TabularProcs& procs() const { return procs_; }
  /// The vocabulary of a column of classes. Throws `not_found`.
  const CategoryMap& classes(const std::string& column) const;
  /// The step of that type, or nullptr.
  template <class T>
  const T* proc() const {
    for (const TabularProc& p : procs_) {
      if (const T* found = p.get<T>()) return found;
    }
    return nullptr;
  }

 private:
  friend class TabularData;
  Values assemble(TabularFrame& frame, const torch::Tensor& rows) const;
  torch::Tensor targets(const Table& table) const;
  torch::Tensor class_targets(const Table& table) const;
  torch::Tensor number_targets(const Table& table) const;

  TabularProcs procs_;
  std::vector<std::string> table_cats_;  ///< of the table itself
  std::vector<std::string> cat_names_, cont_names_, y_names_;
  TargetKind target_ = TargetKind::none;
  CategoryMap y_classes_;
};

/// A processed table (fastai `TabularPandas`): training rows first, then validation rows, each in the order of the split.
class TabularData {
 public:
  /// Sets the steps up on the training rows and runs all rows through them. Throws `bad_data` for columns that are not
  /// there, cells that do not fit, targets that are missing, and classes of the target that only validation rows have.
  TabularData(Table table, TabularOptions options);

  const TabularEncoder& encoder() const { return *encoder_; }
  std::shared_ptr<const TabularEncoder> shared_encoder() const { return encoder_; }
  const Table& table() const { return *table_; }
  /// N x columns of classes, as small as their codes (uint8, int16 or int32; int64 in batches); N x columns of numbers, float32;
  /// targets.
  const torch::Tensor& cats() const { return members_[0]; }
  const torch::Tensor& conts() const { return members_[1]; }
  const torch::Tensor& ys() const { return members_.at(2); }
  /// Training rows.
  std::int64_t split() const { return n_train_; }
  std::int64_t size() const { return rows_.size(0); }
  /// Place in the table of each row here.
  const torch::Tensor& rows() const { return rows_; }
  /// How many cells of a column were filled; how many had no known class.
  const std::map<std::string, std::int64_t>& filled() const { return filled_; }
  const std::map<std::string, std::int64_t>& unknown() const { return unknown_; }
  /// Rows as they were given, decoded, as text.
  std::string show(int max_n = 10) const;

  DataLoaders dataloaders(const LoaderOptions& options = {}) const;
  /// The same of other parts of the rows, by their places here.
  DataLoaders dataloaders(const Splits& places, const LoaderOptions& options = {}) const;

 private:
  std::shared_ptr<const Dataset> dataset(std::int64_t begin, std::int64_t end) const;
  std::shared_ptr<const Dataset> dataset(const std::vector<std::int64_t>& places) const;
  std::shared_ptr<const Table> table_;
  std::shared_ptr<TabularEncoder> encoder_;
  torch::Tensor rows_;
  std::vector<torch::Tensor> members_;
  std::int64_t n_train_ = 0;
  std::map<std::string, std::int64_t> filled_, unknown_;
};

/// Options of the factories, with fastai's names and defaults.
struct TabularDataLoadersOptions {
  TabularProcs procs = {};
  std::vector<std::string> cat_names = {};
  /// Left out: all columns that are neither classes nor targets, in the table's order.
  std::optional<std::vector<std::string>> cont_names = std::nullopt;
  std::vector<std::string> y_names = {};
  std::optional<Block> y_block = std::nullopt;
  /// Rows that validate; left out: `splitter`, or a part at random.
  std::optional<std::vector<std::int64_t>> valid_idx = std::nullopt;
  Splitter splitter = {};
  double valid_pct = 0.2;
  std::optional<std::uint64_t> seed = std::nullopt;  ///< of the split (fastai's permutation) and of shuffling
  int bs = 64;
  std::optional<int> val_bs = std::nullopt;
  bool shuffle = true;
  /// Draw the rows of an epoch with replacement, as fastai has done since 2.7.15 (its batches then miss about 37 % of the rows
  /// in each epoch, and repeat others; a permutation shows each row once, and trains a little better).
  bool replacement = false;
  torch::Device device = default_device();
  bool skipinitialspace = true;  ///< of from_csv: blanks after a delimiter are no part of the text
  TableOptions csv = {};
};

struct TabularDataLoaders {
  using Options = TabularDataLoadersOptions;
  static DataLoaders from_df(const Table& table, const Options& options = {});
  /// CSV, TSV or Parquet.
  static DataLoaders from_csv(const fs::path& csv, const Options& options = {});
};

/// `read_table`, with blanks before a text taken away, in names of columns too (pandas' `skipinitialspace`).
Table read_tabular(const fs::path& path, const TableOptions& options = {}, bool skipinitialspace = true);

/// A loader of the rows of another table, not shuffled, with targets where `with_targets` (fastai `dls.test_dl`).
DataLoader test_dl(const DataLoaders& dls, const Table& table, bool with_targets = false);

/// The processing that these loaders' rows go through. Throws `usage` for loaders of other data.
const TabularEncoder& tabular_encoder(const Pipeline& pipeline);

namespace detail {
/// Makes tables' processing and models known to `load_learner`. Done by including <kindling/tabular.hpp>.
bool register_tabular();
}  // namespace detail

}  // namespace kindling
