#include <kindling/core/error.hpp>
#include <kindling/core/random.hpp>
#include <kindling/data/pairs.hpp>
#include <kindling/tabular/data.hpp>

#include "core/free_memory.hpp"
#include "tabular/memory_loaders.hpp"
#include "tabular/random_rows.hpp"
#include "tabular/unique_cells.hpp"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include <torch/types.h>

namespace kindling {

namespace {

/// Rows as tensors that were made before; an item is the row itself.
class TabularDataset final : public BatchDataset {
 public:
  TabularDataset(std::shared_ptr<const Table> table, torch::Tensor rows, std::vector<torch::Tensor> members)
      : table_(std::move(table)), rows_(rows.contiguous()), members_(std::move(members)) {}
  std::int64_t size() const override { return rows_.size(0); }
  Values raw(std::int64_t index) const override { return widened(members_.raw(index)); }
  Value item(std::int64_t index) const override {
    return Row{table_, rows_.const_data_ptr<std::int64_t>()[index]};
  }
  Values batch(std::span<const std::int64_t> items) const override { return widened(members_.batch(items)); }

 private:
  /// Codes as embeddings take them.
  static Values widened(Values members) {
    members.front() = tensor_of(members.front()).to(torch::kInt64);
    return members;
  }

  std::shared_ptr<const Table> table_;
  torch::Tensor rows_;
  TensorDataset members_;
};

torch::Tensor to_tensor(const std::vector<std::int64_t>& rows) {
  return torch::tensor(at::IntArrayRef(rows), torch::kInt64);
}

void check_names(const Table& table, const TabularOptions& o) {
  std::set<std::string> seen;
  for (const auto* names : {&o.cat_names, &o.cont_names, &o.y_names}) {
    for (const std::string& name : *names) {
      table.column(name);
      if (!seen.insert(name).second) {
        throw Error(ErrorCode::usage, "a column is named twice among classes, numbers and targets", {{"column", name}},
                    "name each column once");
      }
    }
  }
  if (o.cat_names.empty() && o.cont_names.empty())
    throw Error(ErrorCode::usage, "a model needs columns to learn from", {}, "name them in cat_names and cont_names");
}

bool is_number(ColumnType type) {
  return type == ColumnType::integer || type == ColumnType::number;
}

TargetKind target_of(const Table& table, const TabularOptions& o) {
  if (o.y_names.empty()) return TargetKind::none;
  const bool all_numbers = std::all_of(o.y_names.begin(), o.y_names.end(),
                                       [&](const std::string& y) { return is_number(table.type(y)); });
  TargetKind kind = all_numbers ? TargetKind::number : TargetKind::category;
  if (o.y_block) kind = o.y_block->target;
  if (kind != TargetKind::number && kind != TargetKind::category) {
    throw Error(ErrorCode::usage, "the target of a table is classes or numbers", {},
                "choose CategoryBlock() or RegressionBlock() as y_block");
  }
  if (kind == TargetKind::category && o.y_names.size() > 1) {
    throw Error(ErrorCode::usage, "several targets are numbers; one alone can be classes",
                {{"targets", o.y_names.size()}}, "train a model for each column of classes");
  }
  return kind;
}

Splits check_splits(Splits splits, std::int64_t n_rows) {
  if (splits.train.empty()) {
    throw Error(ErrorCode::bad_data, "there are no rows to train on",
                {{"rows", n_rows}, {"validation rows", splits.valid.size()}},
                "use a table with more rows, or let fewer validate");
  }
  for (const auto* part : {&splits.train, &splits.valid}) {
    for (std::int64_t row : *part) {
      if (row >= 0 && row < n_rows) continue;
      throw Error(ErrorCode::usage, "the split names a row that the table does not have",
                  {{"row", row}, {"rows", n_rows}});
    }
  }
  return splits;
}

Splits split_of(const Table& table, const TabularDataLoadersOptions& o) {
  const std::int64_t n = table.n_rows();
  if (o.valid_idx) return IndexSplitter(*o.valid_idx)(Items(static_cast<std::size_t>(n)));
  if (o.splitter) return o.splitter(rows_of(table));
  return detail::split_rows(n, o.valid_pct, o.seed);
}

std::vector<std::string> remaining(const Table& table, const TabularDataLoadersOptions& o) {
  std::vector<std::string> names;
  for (const std::string& name : table.names()) {
    const auto taken = [&](const std::vector<std::string>& list) {
      return std::find(list.begin(), list.end(), name) != list.end();
    };
    if (!taken(o.cat_names) && !taken(o.y_names)) names.push_back(name);
  }
  return names;
}

/// The same rows as they stand in the table, where none comes twice: gathering them is quicker.
torch::Tensor in_table_order(const torch::Tensor& rows, std::int64_t n_rows) {
  const auto ordered = torch::zeros(n_rows, torch::kBool).index_fill_(0, rows, true).nonzero().flatten();
  return ordered.size(0) == rows.size(0) ? ordered : rows;
}

}  // namespace

Splits detail::split_rows(std::int64_t n, double valid_pct, std::optional<std::uint64_t> seed) {
  RandomSplitter{valid_pct, seed};  // throws for a part that is none
  const auto order = torch_randperm(n, seed ? *seed : std::random_device{}());
  const auto cut = static_cast<std::int64_t>(valid_pct * static_cast<double>(n));
  return {{order.begin() + cut, order.end()}, {order.begin(), order.begin() + cut}};
}

TabularData::TabularData(Table table, TabularOptions o) : encoder_(std::make_shared<TabularEncoder>()) {
  check_names(table, o);
  table_ = std::make_shared<const Table>(std::move(table));
  TabularEncoder& e = *encoder_;
  e.table_cats_ = o.cat_names;
  e.cont_names_ = o.cont_names;
  e.y_names_ = o.y_names;
  e.target_ = target_of(*table_, o);
  torch::Tensor train = torch::arange(table_->n_rows());
  rows_ = train;
  if (o.splits) {
    const Splits splits = check_splits(*std::move(o.splits), table_->n_rows());
    rows_ = torch::cat({to_tensor(splits.train), to_tensor(splits.valid)});
    train = rows_.slice(0, 0, static_cast<std::int64_t>(splits.train.size()));
  }
  n_train_ = train.size(0);
  if (n_train_ == 0) throw Error(ErrorCode::bad_data, "the table has no rows", {{"path", table_->source()}});
  TabularFrame frame(*table_, e.table_cats_, e.cont_names_);
  e.procs_ = std::move(o.procs);
  std::stable_sort(e.procs_.begin(), e.procs_.end(),
                   [](const TabularProc& a, const TabularProc& b) { return a.order() < b.order(); });
  // Each step learns from what the ones before it made.
  const torch::Tensor learning = in_table_order(train, table_->n_rows());
  for (TabularProc& p : e.procs_) {
    p = p.with_setup(frame, learning);
    p.encodes(frame);
    detail::return_free_memory();
  }
  e.cat_names_ = frame.cat_names;
  for (const Value& member : e.assemble(frame, o.splits ? rows_ : torch::Tensor())) members_.push_back(tensor_of(member));
  filled_ = frame.filled;
  unknown_ = frame.unknown;
  frame = {};
  detail::return_free_memory();
  if (e.target_ == TargetKind::none) return;
  if (e.target_ == TargetKind::category)
    e.y_classes_ = detail::classes_of_rows(detail::unique_cells(*table_, e.y_names_.front()), train, /*add_na=*/false);
  const auto targets = e.targets(*table_);
  members_.push_back(o.splits ? targets.index_select(0, rows_) : targets);
}

std::shared_ptr<const Dataset> TabularData::dataset(std::int64_t begin, std::int64_t end) const {
  std::vector<torch::Tensor> members;
  for (const auto& member : members_) members.push_back(member.slice(0, begin, end));
  return std::make_shared<TabularDataset>(table_, rows_.slice(0, begin, end), std::move(members));
}

std::shared_ptr<const Dataset> TabularData::dataset(const std::vector<std::int64_t>& places) const {
  const auto index = to_tensor(places);
  std::vector<torch::Tensor> members;
  for (const auto& member : members_) members.push_back(member.index_select(0, index));
  return std::make_shared<TabularDataset>(table_, rows_.index_select(0, index), std::move(members));
}

DataLoaders TabularData::dataloaders(const LoaderOptions& o) const {
  return detail::memory_loaders(dataset(0, n_train_), dataset(n_train_, size()), encoder_, o);
}

DataLoaders TabularData::dataloaders(const Splits& places, const LoaderOptions& o) const {
  return detail::memory_loaders(dataset(places.train), dataset(places.valid), encoder_, o);
}

DataLoaders detail::memory_loaders(std::shared_ptr<const Dataset> train_rows, std::shared_ptr<const Dataset> valid_rows,
                                   std::shared_ptr<const TabularEncoder> encoder, const LoaderOptions& o) {
  const TargetKind target = encoder->target();
  const std::size_t members = target == TargetKind::none ? 2 : 3;
  auto pipeline = std::make_shared<Pipeline>(Pipeline{.blocks = std::vector<Transforms>(members),
                                                      .n_inp = 2,
                                                      .target = target,
                                                      .encoder = std::move(encoder)});
  DataLoaderOptions train{.bs = o.bs,
                          .shuffle = o.shuffle,
                          .replacement = o.replacement,
                          .drop_last = o.shuffle,
                          .num_workers = 0,
                          .seed = o.seed,
                          .split = Split::train,
                          .device = o.device};
  DataLoaderOptions valid = train;
  valid.bs = o.val_bs.value_or(o.bs);
  valid.shuffle = valid.replacement = valid.drop_last = false;
  valid.split = Split::valid;
  return DataLoaders(DataLoader(std::move(train_rows), pipeline, train),
                     DataLoader(std::move(valid_rows), pipeline, valid), pipeline);
}

std::string TabularData::show(int max_n) const {
  const std::int64_t n = std::min<std::int64_t>(max_n, size());
  const DataLoaders dls = dataloaders({.bs = static_cast<int>(std::max<std::int64_t>(n, 1)), .shuffle = false});
  return dls.batch_table({.max_n = max_n});
}

DataLoaders TabularDataLoaders::from_df(const Table& table, const Options& o) {
  const TabularData data(table, {.procs = o.procs,
                                 .cat_names = o.cat_names,
                                 .cont_names = o.cont_names.value_or(remaining(table, o)),
                                 .y_names = o.y_names,
                                 .y_block = o.y_block,
                                 .splits = split_of(table, o)});
  return data.dataloaders({.bs = o.bs,
                           .val_bs = o.val_bs,
                           .shuffle = o.shuffle,
                           .replacement = o.replacement,
                           .seed = o.seed.value_or(42),
                           .device = o.device});
}

Table read_tabular(const fs::path& path, const TableOptions& options, bool skipinitialspace) {
  TableOptions o = options;
  o.skipinitialspace = skipinitialspace;
  return read_table(path, o);
}

DataLoaders TabularDataLoaders::from_csv(const fs::path& csv, const Options& o) {
  TableOptions reading = o.csv;
  // Columns that nothing asks for are not kept. A splitter may ask for any.
  if (o.cont_names && !o.splitter && reading.columns.empty()) {
    std::set<std::string> names;
    for (const auto* some : {&o.cat_names, &*o.cont_names, &o.y_names}) names.insert(some->begin(), some->end());
    reading.columns.assign(names.begin(), names.end());
  }
  return from_df(read_tabular(csv, reading, o.skipinitialspace), o);
}

DataLoader test_dl(const DataLoaders& dls, const Table& table, bool with_targets) {
  std::vector<torch::Tensor> members;
  for (const Value& member : tabular_encoder(dls.pipeline()).encode(table, with_targets))
    members.push_back(tensor_of(member));
  DataLoaderOptions options = dls.valid().options();
  options.shuffle = options.replacement = options.drop_last = false;
  return dls.valid().with(std::make_shared<TabularDataset>(std::make_shared<const Table>(table),
                                                           torch::arange(table.n_rows()), std::move(members)),
                          options);
}

}  // namespace kindling
