#include <kindling/core/error.hpp>
#include <kindling/train/losses.hpp>

#include <torch/nn/functional/loss.h>

namespace kindling {

namespace F = torch::nn::functional;

namespace {

torch::Tensor cross_entropy(const torch::Tensor& pred, const torch::Tensor& targ,
                            F::CrossEntropyFuncOptions options) {
  return F::cross_entropy(pred.flatten(0, -2), targ.reshape({-1}).to(torch::kInt64), options);
}

torch::Tensor flat_square(const torch::Tensor& pred, const torch::Tensor& targ) {
  return (pred.reshape({-1}).to(torch::kFloat32) - targ.reshape({-1}).to(torch::kFloat32)).square();
}

}  // namespace

torch::Tensor LossFunction::per_item(const torch::Tensor& pred, const torch::Tensor& targ) const {
  if (!per_item_) {
    throw Error(ErrorCode::usage, "this loss function knows no loss of a single item", {},
                "use one of the library's losses, e.g. CrossEntropyLossFlat()");
  }
  return per_item_(pred, targ);
}

LossFunction CrossEntropyLossFlat() {
  return LossFunction(
      "CrossEntropyLossFlat",
      [](const torch::Tensor& p, const torch::Tensor& t) { return cross_entropy(p, t, {}); },
      [](const torch::Tensor& p, const torch::Tensor& t) {
        return cross_entropy(p, t, F::CrossEntropyFuncOptions().reduction(torch::kNone)).reshape(t.sizes());
      },
      [](const torch::Tensor& p) { return p.softmax(-1); },
      [](const torch::Tensor& p) { return p.argmax(-1); });
}

LossFunction MSELossFlat() {
  return LossFunction(
      "MSELossFlat", [](const torch::Tensor& p, const torch::Tensor& t) { return flat_square(p, t).mean(); },
      [](const torch::Tensor& p, const torch::Tensor& t) {
        return flat_square(p, t).reshape({t.size(0), -1}).mean(1);
      },
      {}, {});
}

LossFunction loss_from_name(const std::string& name) {
  if (name == "CrossEntropyLossFlat") return CrossEntropyLossFlat();
  if (name == "MSELossFlat") return MSELossFlat();
  if (name.empty()) return LossFunction();
  throw Error(ErrorCode::bad_model, "the model names a loss function that is not known", {{"loss", name}},
              "the file may come from a newer kindling");
}

}  // namespace kindling
