#include <kindling/core/error.hpp>
#include <kindling/data/categories.hpp>
#include <kindling/data/dataloaders.hpp>
#include <kindling/data/pairs.hpp>

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
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
  bool repeatable() const override { return true; }

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

/// New items whose members were made all at once.
class EncodedDataset final : public BatchDataset {
 public:
  EncodedDataset(const BatchEncoder& encoder, Items items, bool with_targets)
      : items_(std::move(items)), members_(tensors_of(encoder.encode(items_, with_targets))) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(items_.size()); }
  Values raw(std::int64_t index) const override { return members_.raw(index); }
  Value item(std::int64_t index) const override { return items_[index]; }
  Values batch(std::span<const std::int64_t> items) const override { return members_.batch(items); }

 private:
  static std::vector<torch::Tensor> tensors_of(const Values& members) {
    std::vector<torch::Tensor> tensors;
    for (const Value& member : members) tensors.push_back(tensor_of(member));
    return tensors;
  }
  Items items_;
  TensorDataset members_;
};

/// Files that a table names and that are not there: all of them are found at once.
void check_files(const Items& items, const std::vector<std::int64_t>& indices, const std::vector<Values>& raw) {
  constexpr std::size_t most_named = 20;
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (!std::holds_alternative<Row>(items[indices[i]])) continue;
    for (const Value& member : raw[i]) {
      const auto* path = std::get_if<fs::path>(&member);
      std::error_code ignored;
      if (path && !fs::exists(*path, ignored))
        missing.push_back(fmt::format("{}: {}", describe(items[indices[i]]), path->string()));
    }
  }
  if (missing.empty()) return;
  Error error(ErrorCode::not_found,
              fmt::format("{} of {} files named in the table {} not exist", missing.size(), raw.size(),
                          missing.size() == 1 ? "does" : "do"));
  for (std::size_t i = 0; i < std::min(missing.size(), most_named); ++i)
    error.with({fmt::format("missing {}", i + 1), missing[i]});
  if (missing.size() > most_named) error.with({"and", fmt::format("{} more", missing.size() - most_named)});
  throw error.with_hint("check the folder and the ending that are put to the names (pref, folder, suff), or leave the rows out");
}

/// A target that is nothing at all. A Categorize says itself what it makes of that.
void check_labels_there(const Items& items, const std::vector<std::int64_t>& indices, const std::vector<Values>& raw,
                        const Pipeline& pipeline) {
  for (std::size_t i = 0; i < raw.size(); ++i) {
    for (std::size_t b = pipeline.n_inp; b < raw[i].size(); ++b) {
      const Transforms& tfms = pipeline.blocks[b];
      if (!std::holds_alternative<std::monostate>(raw[i][b]) || (!tfms.empty() && tfms.front().get<Categorize>()))
        continue;
      throw Error(ErrorCode::bad_data, "the label is missing", {{"item", describe(items[indices[i]])}},
                  "give the item a label, or leave it out");
    }
  }
}

/// Whether a target becomes a tensor without a file being opened.
bool is_at_hand(const Value& raw) {
  return !std::holds_alternative<fs::path>(raw) && !std::holds_alternative<Bytes>(raw) &&
         !std::holds_alternative<Image>(raw) && !std::holds_alternative<Mask>(raw) &&
         !std::holds_alternative<UserValue>(raw);
}

void check_targets(const Items& items, const std::vector<std::int64_t>& indices, const std::vector<Values>& raw,
                   const Pipeline& pipeline) {
  for (std::size_t i = 0; i < raw.size(); ++i) {
    for (std::size_t b = pipeline.n_inp; b < raw[i].size(); ++b) {
      if (!is_at_hand(raw[i][b])) continue;
      try {
        Value value = raw[i][b];
        for (const Transform& t : pipeline.blocks[b]) value = t.encode(value, {});
      } catch (Error& e) {
        throw e.with({"item", describe(items[indices[i]])});
      }
    }
  }
}

}  // namespace

Datasets::Datasets(Items items, std::vector<Getter> getters, Splits splits, Pipeline pipeline)
    : state_(std::make_shared<State>(State{std::move(items), std::move(getters), std::move(splits),
                                           std::make_shared<Pipeline>(std::move(pipeline))})) {
  // Labels are made once for all items here, so that one that is wrong is found before training.
  const State& s = *state_;
  const auto members_of = [&s](const std::vector<std::int64_t>& indices) {
    std::vector<Values> raw;
    for (std::int64_t i : indices) raw.push_back(get_members(s.getters, s.items[i], s.getters.size()));
    check_files(s.items, indices, raw);
    check_labels_there(s.items, indices, raw, *s.pipeline);
    return raw;
  };
  const std::vector<Values> train_items = members_of(s.splits.train);
  try {
    s.pipeline->setup(train_items);
  } catch (Error& e) {
    if (const std::string place = e.fact("training item"); !place.empty())
      e.with({"item", describe(s.items[s.splits.train[std::stoull(place)]])});
    throw;
  }
  check_targets(s.items, s.splits.train, train_items, *s.pipeline);
  check_targets(s.items, s.splits.valid, members_of(s.splits.valid), *s.pipeline);
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
                          .replacement = options.replacement,
                          .drop_last = options.shuffle,
                          .num_workers = options.num_workers,
                          .seed = options.seed,
                          .split = Split::train,
                          .device = options.device,
                          .cache = options.cache};
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

void DataLoaders::add_batch_tfms(const Transforms& batch_tfms) {
  if (!pipeline_)
    throw Error(ErrorCode::usage, "these loaders have no pipeline of their own to add transforms to");
  pipeline_->batch_tfms = merge_transforms(pipeline_->batch_tfms, batch_tfms);
}

DataLoader DataLoaders::test_dl(Items items, bool with_labels) const {
  if (!pipeline_) throw Error(ErrorCode::usage, "these loaders have no transforms to run new items through");
  if (with_labels && !datasets_ && !pipeline_->encoder) throw Error(ErrorCode::usage, "these loaders have no label functions");
  DataLoaderOptions options = valid_.options();
  options.shuffle = options.drop_last = false;
  if (pipeline_->encoder)
    return DataLoader(std::make_shared<EncodedDataset>(*pipeline_->encoder, std::move(items), with_labels), pipeline_,
                      options);
  auto dataset =
      with_labels ? datasets_->labelled(std::move(items)) : std::make_shared<PlainDataset>(std::move(items));
  return DataLoader(std::move(dataset), pipeline_, options);
}

}  // namespace kindling
