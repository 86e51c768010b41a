#include "collab/dot_bias.hpp"

#include <kindling/core/error.hpp>

#include "nn/parallel_for.hpp"

#include <cmath>

#include <torch/autograd.h>

namespace kindling::detail {

namespace {

using torch::Tensor;

constexpr std::int64_t grain_rows = 1024;

void check_codes(const Tensor& codes, std::int64_t n_users, std::int64_t n_items) {
  const auto* code = codes.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < codes.size(0); ++i) {
    const std::int64_t user = code[2 * i], item = code[2 * i + 1];
    if (user >= 0 && user < n_users && item >= 0 && item < n_items) continue;
    throw Error(ErrorCode::bad_data, "a code is none of the model's",
                {{"row", i}, {"user", user}, {"users", n_users}, {"item", item}, {"items", n_items}},
                "use the loaders that the model was made for");
  }
}

struct Scale {
  float low = 0, width = 0;
  bool sigmoid = false;
};

/// Rows of a batch as the loops see them.
struct Rows {
  const std::int64_t* codes;
  const float *users, *items;
  std::int64_t factors;
  const float* user(std::int64_t row) const { return users + codes[2 * row] * factors; }
  const float* item(std::int64_t row) const { return items + codes[2 * row + 1] * factors; }
};

class DotBias : public torch::autograd::Function<DotBias> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* ctx, const Tensor& codes, const Tensor& user_factors,
                        const Tensor& item_factors, const Tensor& user_bias, const Tensor& item_bias, Scale scale) {
    const std::int64_t n = codes.size(0);
    Tensor y = torch::empty({n}, user_factors.options());
    const Rows rows = rows_of(codes, user_factors, item_factors);
    const auto *ub = user_bias.const_data_ptr<float>(), *ib = item_bias.const_data_ptr<float>();
    float* out = y.data_ptr<float>();
    detail::parallel_for(0, n, grain_rows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const float *u = rows.user(i), *v = rows.item(i);
        float dot = 0;
        for (std::int64_t f = 0; f < rows.factors; ++f) dot += u[f] * v[f];
        dot += ub[rows.codes[2 * i]] + ib[rows.codes[2 * i + 1]];
        out[i] = scale.sigmoid ? scale.width / (1 + std::exp(-dot)) + scale.low : dot;
      }
    });
    ctx->save_for_backward({codes, user_factors, item_factors, user_bias, item_bias, y});
    ctx->saved_data["low"] = scale.low;
    ctx->saved_data["width"] = scale.width;
    ctx->saved_data["sigmoid"] = scale.sigmoid;
    return y;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* ctx,
                                               torch::autograd::tensor_list grads) {
    if (torch::GradMode::is_enabled()) {
      throw Error(ErrorCode::unsupported, "the model of ratings has no second derivative",
                  {{"operation", "backward with create_graph"}});
    }
    const auto saved = ctx->get_saved_variables();
    const Tensor &codes = saved[0], &user_factors = saved[1], &item_factors = saved[2], &y = saved[5];
    const Tensor grad = grads[0].contiguous();
    const auto low = static_cast<float>(ctx->saved_data["low"].toDouble());
    const auto width = static_cast<float>(ctx->saved_data["width"].toDouble());
    const bool sigmoid = ctx->saved_data["sigmoid"].toBool();
    Tensor du = torch::zeros_like(user_factors), dv = torch::zeros_like(item_factors);
    Tensor dub = torch::zeros_like(saved[3]), dib = torch::zeros_like(saved[4]);
    const Rows rows = rows_of(codes, user_factors, item_factors);
    const auto *g = grad.const_data_ptr<float>(), *out = y.const_data_ptr<float>();
    auto *gu = du.data_ptr<float>(), *gv = dv.data_ptr<float>();
    auto *gub = dub.data_ptr<float>(), *gib = dib.data_ptr<float>();
    // In order of the rows, so that sums are the same whatever the number of threads.
    for (std::int64_t i = 0; i < codes.size(0); ++i) {
      const float part = (out[i] - low) / width;
      const float slope = sigmoid ? g[i] * width * part * (1 - part) : g[i];
      const std::int64_t user = rows.codes[2 * i], item = rows.codes[2 * i + 1];
      const float *u = rows.user(i), *v = rows.item(i);
      float *to_user = gu + user * rows.factors, *to_item = gv + item * rows.factors;
      for (std::int64_t f = 0; f < rows.factors; ++f) to_user[f] += slope * v[f];
      for (std::int64_t f = 0; f < rows.factors; ++f) to_item[f] += slope * u[f];
      gub[user] += slope;
      gib[item] += slope;
    }
    return {Tensor(), du, dv, dub, dib, Tensor()};
  }

 private:
  static Rows rows_of(const Tensor& codes, const Tensor& user_factors, const Tensor& item_factors) {
    return {codes.const_data_ptr<std::int64_t>(), user_factors.const_data_ptr<float>(),
            item_factors.const_data_ptr<float>(), user_factors.size(1)};
  }
};

}  // namespace

Tensor dot_bias(const Tensor& codes, const DotBiasTables& t, const std::optional<std::pair<double, double>>& y_range) {
  const Tensor rows = codes.contiguous();
  check_codes(rows, t.user_factors.size(0), t.item_factors.size(0));
  Scale scale;
  if (y_range) {
    scale = {.low = static_cast<float>(y_range->first),
             .width = static_cast<float>(y_range->second - y_range->first),
             .sigmoid = true};
  }
  return DotBias::apply(rows, t.user_factors, t.item_factors, t.user_bias, t.item_bias, scale);
}

}  // namespace kindling::detail
