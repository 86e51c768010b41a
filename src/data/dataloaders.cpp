#include <kindling/core/error.hpp>
#include <kindling/data/dataloaders.hpp>

#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>

namespace kindling {

struct Datasets::State {
  Items items;
  std::vector<Getter> getters;
  Splits splits;
  std::shared_ptr<Pipeline> pipeline;
};

namespace {

Value get_member(const Getter& getter, const Value& item) {
  return getter ? getter(item) : item;
}

Values get_members(const std::vector<Getter>& getters, const Value& item, std::size_t n) {
  Values raw;
  for (std::size_t m = 0; m < n; ++m) raw.push_back(get_member(getters[m], item));
  return raw;
}

/// Items of one split of `Datasets`, or other items through the same getters.
class GetterDataset final : public Dataset {
 public:
  GetterDataset(std::shared_ptr<const Items> items, std::vector<std::int64_t> indices,
                std::vector<Getter> getters)
      : items_(std::move(items)), indices_(std::move(indices)), getters_(std::move(getters)) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  Values raw(std::int64_t index) const override {
    return get_members(getters_, item(index), getters_.size());
  }
  Value item(std::int64_t index) const override { return (*items_)[indices_[index]]; }

 private:
  std::shared_ptr<const Items> items_;
  std::vector<std::int64_t> indices_;
  std::vector<Getter> getters_;
};

/// New items as they are: what `predict` and an unlabelled test set start from.
class PlainDataset final : public Dataset {
 public:
  explicit PlainDataset(Items items) : items_(std::move(items)) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(items_.size()); }
  Values raw(std::int64_t index) const override { return {items_[index]}; }
  Value item(std::int64_t index) const override { return items_[index]; }

 private:
  Items items_;
};

/// One item again and again, as a new one each time for the random transforms.
class RepeatedDataset final : public Dataset {
 public:
  RepeatedDataset(const Dataset& dataset, int n) : dataset_(dataset), n_(n) {}
  std::int64_t size() const override { return n_; }
  Values raw(std::int64_t) const override { return dataset_.raw(0); }
  Value item(std::int64_t) const override { return dataset_.item(0); }

 private:
  const Dataset& dataset_;
  int n_;
};

}  // namespace

Datasets::Datasets(Items items, std::vector<Getter> getters, Splits splits, Pipeline pipeline)
    : state_(std::make_shared<State>(State{std::move(items), std::move(getters), std::move(splits),
                                           std::make_shared<Pipeline>(std::move(pipeline))})) {
  // Labels are made once for all training items here, so that a label function that fails does so before
  // training.
  std::vector<Values> train_items;
  for (std::int64_t i : state_->splits.train) {
    train_items.push_back(get_members(state_->getters, state_->items[i], state_->getters.size()));
  }
  state_->pipeline->setup(train_items);
  for (std::int64_t i : state_->splits.valid) {
    Values raw = get_members(state_->getters, state_->items[i], state_->getters.size());
    for (std::size_t b = state_->pipeline->n_inp; b < raw.size(); ++b) {
      try {
        for (const Transform& t : state_->pipeline->blocks[b]) raw[b] = t.encode(raw[b], {});
      } catch (Error& e) {
        throw e.with({"item", describe(state_->items[i])});
      }
    }
  }
}

const Items& Datasets::items() const {
  return state_->items;
}
const Splits& Datasets::splits() const {
  return state_->splits;
}
const Pipeline& Datasets::pipeline() const {
  return *state_->pipeline;
}
std::shared_ptr<Pipeline> Datasets::shared_pipeline() const {
  return state_->pipeline;
}

std::shared_ptr<const Dataset> Datasets::train() const {
  return std::make_shared<GetterDataset>(std::shared_ptr<const Items>(state_, &state_->items),
                                         state_->splits.train, state_->getters);
}

std::shared_ptr<const Dataset> Datasets::valid() const {
  return std::make_shared<GetterDataset>(std::shared_ptr<const Items>(state_, &state_->items),
                                         state_->splits.valid, state_->getters);
}

std::shared_ptr<const Dataset> Datasets::labelled(Items items) const {
  std::vector<std::int64_t> indices(items.size());
  std::iota(indices.begin(), indices.end(), 0);
  return std::make_shared<GetterDataset>(std::make_shared<const Items>(std::move(items)), std::move(indices),
                                         state_->getters);
}

DataLoaders::DataLoaders(const Datasets& datasets, const LoaderOptions& options)
    : pipeline_(datasets.shared_pipeline()), datasets_(datasets) {
  DataLoaderOptions train{.bs = options.bs,
                          .shuffle = options.shuffle,
                          .drop_last = options.shuffle,
                          .num_workers = options.num_workers,
                          .seed = options.seed,
                          .split = Split::train,
                          .device = options.device};
  DataLoaderOptions valid = train;
  valid.bs = options.val_bs.value_or(options.bs);
  valid.shuffle = valid.drop_last = false;
  valid.split = Split::valid;
  train_ = DataLoader(datasets.train(), pipeline_, train);
  valid_ = DataLoader(datasets.valid(), pipeline_, valid);
}

DataLoaders::DataLoaders(Pipeline pipeline) : pipeline_(std::make_shared<Pipeline>(std::move(pipeline))) {
  auto nothing = std::make_shared<PlainDataset>(Items{});
  train_ = DataLoader(nothing, pipeline_, {.split = Split::train});
  valid_ = DataLoader(nothing, pipeline_);
}

int DataLoaders::c() const {
  if (pipeline().target == TargetKind::category) return static_cast<int>(vocab().size());
  return pipeline().target == TargetKind::number ? 1 : 0;
}

void DataLoaders::add_batch_tfms(const Transforms& batch_tfms) {
  if (!pipeline_)
    throw Error(ErrorCode::usage, "these loaders have no pipeline of their own to add transforms to");
  pipeline_->batch_tfms = merge_transforms(pipeline_->batch_tfms, batch_tfms);
}

DataLoader DataLoaders::test_dl(Items items, bool with_labels) const {
  if (!pipeline_) throw Error(ErrorCode::usage, "these loaders have no transforms to run new items through");
  if (with_labels && !datasets_) throw Error(ErrorCode::usage, "these loaders have no label functions");
  DataLoaderOptions options = valid_.options();
  options.shuffle = options.drop_last = false;
  auto dataset =
      with_labels ? datasets_->labelled(std::move(items)) : std::make_shared<PlainDataset>(std::move(items));
  return DataLoader(std::move(dataset), pipeline_, options);
}

GridCell to_cell(const Values& decoded_item) {
  GridCell cell;
  std::vector<std::string> lines;
  for (const Value& member : decoded_item) {
    if (auto* image = std::get_if<Image>(&member); image && cell.image.empty())
      cell.image = *image;
    else if (auto* label = std::get_if<Category>(&member))
      lines.push_back(label->name);
    else if (auto* number = std::get_if<Number>(&member))
      lines.push_back(fmt::format("{:.4g}", number->value));
    else if (auto* text = std::get_if<Text>(&member))
      lines.push_back(text->text);
  }
  cell.caption = fmt::format("{}", fmt::join(lines, "\n"));
  return cell;
}

Picture DataLoaders::show_batch(const ShowBatchOptions& options) const {
  const DataLoader& loader = options.split == Split::train ? train_ : valid_;
  DataLoader shown = loader;
  if (options.unique) {
    shown = loader.with(std::make_shared<RepeatedDataset>(loader.dataset(), options.max_n),
                        {.bs = options.max_n, .seed = loader.options().seed, .split = options.split});
  }
  std::vector<GridCell> cells;
  for (const Values& item : loader.pipeline().decode_batch(shown.one_batch_values())) {
    if (static_cast<int>(cells.size()) < options.max_n) cells.push_back(to_cell(item));
  }
  const int n = static_cast<int>(cells.size());
  return draw_grid(cells, {.columns = options.nrows > 0 ? (n + options.nrows - 1) / options.nrows : 0,
                           .cell = options.cell});
}

}  // namespace kindling
