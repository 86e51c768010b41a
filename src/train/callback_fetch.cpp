#include <kindling/core/error.hpp>
#include <kindling/nn/weights.hpp>
#include <kindling/train/callback_fetch.hpp>

#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

std::vector<torch::Tensor> on_cpu(const std::vector<torch::Tensor>& tensors) {
  std::vector<torch::Tensor> all;
  for (const auto& t : tensors) all.push_back(t.detach().cpu());
  return all;
}

/// One tensor a member, out of the batches.
std::vector<torch::Tensor> joined(const std::vector<std::vector<torch::Tensor>>& batches, int dim) {
  std::vector<torch::Tensor> members;
  for (std::size_t m = 0; !batches.empty() && m < batches.front().size(); ++m) {
    std::vector<torch::Tensor> parts;
    for (const auto& batch : batches) parts.push_back(batch.at(m));
    members.push_back(torch::cat(parts, dim));
  }
  return members;
}

void save_batch(const fs::path& folder, std::int64_t number, const std::vector<torch::Tensor>& tensors) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) throw system_error(failed.value(), "create the folder", folder);
  Weights::Named named;
  for (std::size_t i = 0; i < tensors.size(); ++i) named.emplace_back(std::to_string(i), tensors[i]);
  save_safetensors(folder / fmt::format("{}.safetensors", number), named);
}

}  // namespace

void GatherPredsCallback::before_validate(Learner&) {
  preds_.clear();
  losses_.clear();
  inputs_.clear();
  targs_.clear();
  items_.clear();
}

void GatherPredsCallback::after_batch(Learner& learn) {
  if (!learn.pred.defined()) return;
  items_.insert(items_.end(), learn.items.begin(), learn.items.end());
  if (options_.with_input) inputs_.push_back(on_cpu(learn.xb));
  const std::vector<torch::Tensor> pred = on_cpu({learn.pred}), targs = on_cpu(learn.yb);
  if (!options_.save_preds.empty())
    save_batch(options_.save_preds, learn.iter, pred);
  else if (options_.with_preds)
    preds_.push_back(pred.front());
  if (!options_.save_targs.empty())
    save_batch(options_.save_targs, learn.iter, targs);
  else if (options_.with_targs && !targs.empty())
    targs_.push_back(targs);
  if (!options_.with_loss) return;
  if (learn.yb.empty())
    throw Error(ErrorCode::usage, "losses need targets, which these items do not have", {},
                "leave with_loss out, or make the loader with labels");
  losses_.push_back(learn.loss_func.per_item(learn.pred, learn.yb).detach().cpu());
}

Preds GatherPredsCallback::all() const {
  Preds result{.items = items_};
  if (!preds_.empty()) result.preds = torch::cat(preds_, options_.concat_dim);
  result.inputs = joined(inputs_, options_.concat_dim);
  result.all_targs = joined(targs_, options_.concat_dim);
  if (!result.all_targs.empty()) result.targs = result.all_targs.front();
  if (!losses_.empty()) result.losses = torch::cat(losses_);
  return result;
}

void FetchPredsCallback::after_validate(Learner& learn) {
  PredsOptions inner = options;
  inner.inner = true;
  preds = learn.get_preds(inner);
}

void CollectDataCallback::after_batch(Learner& learn) {
  const auto kept = [](const torch::Tensor& t) { return t.defined() ? t.detach().cpu().clone() : t; };
  data.push_back({on_cpu(learn.xb), on_cpu(learn.yb), kept(learn.pred), kept(learn.loss)});
}

}  // namespace kindling
