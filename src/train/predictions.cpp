// Predictions of many items, of one item, and with test-time augmentation.

#include <kindling/core/error.hpp>
#include <kindling/train/callback_fetch.hpp>
#include <kindling/train/export.hpp>
#include <kindling/train/learner.hpp>

#include <algorithm>
#include <numeric>

#include <torch/types.h>

namespace kindling {

namespace {

/// The loader of a split as predictions want it: all items, in order.
DataLoader in_order(const DataLoader& dl) {
  DataLoaderOptions options = dl.options();
  options.shuffle = options.drop_last = false;
  return dl.with(options);
}

/// Which row comes first, second, … in the data set's order.
torch::Tensor order_of(const std::vector<std::int64_t>& items) {
  std::vector<std::int64_t> rows(items.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::stable_sort(rows.begin(), rows.end(), [&](std::int64_t a, std::int64_t b) { return items[a] < items[b]; });
  return torch::tensor(rows, torch::kInt64);
}

void reorder(Preds& p) {
  if (std::is_sorted(p.items.begin(), p.items.end())) return;
  const auto n = static_cast<std::int64_t>(p.items.size());
  const torch::Tensor order = order_of(p.items);
  const auto sort = [&](torch::Tensor& t) {
    if (t.defined() && t.dim() > 0 && t.size(0) == n) t = t.index_select(0, order);
  };
  for (torch::Tensor* t : {&p.preds, &p.targs, &p.losses}) sort(*t);
  for (torch::Tensor& t : p.inputs) sort(t);
  for (torch::Tensor& t : p.all_targs) sort(t);
  std::sort(p.items.begin(), p.items.end());
}

}  // namespace

Preds Learner::get_preds(const PredsOptions& o) {
  const DataLoader dl = o.dl ? *o.dl : in_order(dls[o.ds_idx]);
  if (dl.size() == 0) throw Error(ErrorCode::bad_data, "there are no items to predict");
  auto gather = std::make_shared<GatherPredsCallback>(GatherOptions{.with_input = o.with_input,
                                                                    .with_loss = o.with_loss,
                                                                    .with_preds = o.with_preds,
                                                                    .with_targs = o.with_targs,
                                                                    .concat_dim = o.concat_dim,
                                                                    .save_preds = o.save_preds,
                                                                    .save_targs = o.save_targs});
  Callbacks cbs = o.cbs;
  cbs.push_back(Callback(gather));
  in_validation(cbs, o.inner, [&] { epoch_validate(dl); });
  Preds result = gather->all();
  if (o.reorder && o.concat_dim == 0) reorder(result);
  if (!result.preds.defined()) return result;
  torch::NoGradGuard no_grad;
  result.preds = o.act ? (*o.act)(result.preds) : loss_func.activation(result.preds);
  if (o.with_decoded) result.decoded = loss_func.decodes(result.preds);
  return result;
}

Prediction Learner::predict_value(Value item) {
  item = opened_for_prediction(dls.pipeline(), item);
  DataLoader one = dls.test_dl(Items{item});
  DataLoaderOptions here = one.options();
  here.num_workers = 0;
  auto preds = get_preds({.dl = one.with(here)});
  return to_prediction(dls.pipeline(), loss_func, preds.preds[0], item);
}

namespace {

/// The same items through other transforms.
DataLoader with_transforms(const DataLoader& dl, const TtaOptions& o) {
  if (!o.item_tfms && !o.batch_tfms) return dl;
  auto pipeline = std::make_shared<Pipeline>(dl.pipeline());
  if (o.item_tfms) pipeline->item_tfms = *o.item_tfms;
  if (o.batch_tfms) pipeline->batch_tfms = *o.batch_tfms;
  // The loader owns its data set.
  const auto owner = std::make_shared<DataLoader>(dl);
  return DataLoader(std::shared_ptr<const Dataset>(owner, &owner->dataset()), std::move(pipeline), dl.options());
}

}  // namespace

TtaPreds Learner::tta(const TtaOptions& o) {
  if (o.n < 1) throw Error(ErrorCode::usage, "tta needs at least one augmented pass", {{"n", o.n}});
  const DataLoader plain_dl = with_transforms(in_order(o.dl ? *o.dl : dls[o.ds_idx]), o);
  DataLoaderOptions augmented = plain_dl.options();
  augmented.split = Split::train;
  const DataLoader augmented_dl = plain_dl.with(augmented);
  torch::Tensor all;
  for (int pass = 0; pass < o.n; ++pass) {
    auto gather = std::make_shared<GatherPredsCallback>();
    in_validation({Callback(gather)}, false, [&] { epoch_validate(augmented_dl, pass); });
    const torch::Tensor preds = loss_func.activation(gather->all().preds);
    if (!all.defined())
      all = preds;
    else
      all = o.use_max ? torch::max(all, preds) : all + preds;
  }
  if (!o.use_max) all = all / o.n;
  DataLoaderOptions plain = plain_dl.options();
  plain.split = Split::valid;
  const Preds as_is = get_preds({.dl = plain_dl.with(plain)});
  if (!o.beta) return {.preds = all, .targs = as_is.targs, .plain = as_is.preds};
  const torch::Tensor mixed = o.use_max ? torch::max(all, as_is.preds) : torch::lerp(all, as_is.preds, *o.beta);
  return {.preds = mixed, .targs = as_is.targs};
}

// ---- show_results

namespace {

/// The batch's members with predictions in place of the targets.
Values with_predictions(Values values, const Pipeline& pipeline, const torch::Tensor& decoded) {
  const auto target = static_cast<std::size_t>(pipeline.n_inp);
  if (values.size() <= target)
    throw Error(ErrorCode::usage, "results are shown beside targets, which these items do not have", {},
                "use a loader with labels");
  const torch::Tensor own = tensor_of(values[target]);
  values[target] = with_tensor(values[target], decoded.reshape_as(own).to(own.dtype()));
  return values;
}

bool is_picture(TargetKind kind) {
  return kind == TargetKind::mask || kind == TargetKind::points || kind == TargetKind::boxes;
}

}  // namespace

Picture Learner::show_results(const ShowResultsOptions& o) {
  DataLoader dl = in_order(o.dl ? *o.dl : dls[o.ds_idx]);
  DataLoaderOptions options = dl.options();
  options.shuffle = o.shuffle;
  options.bs = std::min(options.bs, std::max(1, o.max_n));
  dl = dl.with(options);
  const Values values = dl.one_batch_values();
  const Batch batch = to_batch(values, dl.pipeline().n_inp);
  torch::NoGradGuard no_grad;
  model.module().to(dls.device());
  model.module().eval();
  const torch::Tensor decoded = loss_func.decodes(loss_func.activation(model.forward(batch.x)));
  const auto targets = dl.pipeline().decode_batch(values);
  const auto results = dl.pipeline().decode_batch(with_predictions(values, dl.pipeline(), decoded));
  const bool pairs = is_picture(dl.pipeline().target);
  std::vector<GridCell> cells;
  for (std::size_t i = 0; i < std::min(targets.size(), static_cast<std::size_t>(o.max_n)); ++i) {
    GridCell target = to_cell(targets[i]), result = to_cell(results[i]);
    if (pairs) {
      target.caption = "Target";
      result.caption = "Prediction";
      cells.push_back(std::move(target));
      cells.push_back(std::move(result));
      continue;
    }
    target.colour = target.caption == result.caption ? "green" : "red";
    target.caption += "\n" + result.caption;
    cells.push_back(std::move(target));
  }
  return draw_grid(cells, {.columns = pairs ? 2 : 0, .cell = o.cell, .title = pairs ? "" : "Target / Prediction"});
}

}  // namespace kindling
