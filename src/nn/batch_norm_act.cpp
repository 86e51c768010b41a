#include "nn/batch_norm_act.hpp"

#include <kindling/core/error.hpp>

#include "nn/channel_kernels.hpp"
#include "nn/parallel_for.hpp"

#include <cmath>
#include <limits>
#include <mutex>

#include <torch/autograd.h>

namespace kindling::detail {
namespace {

using torch::Tensor;

constexpr std::int64_t grain_elements = 32768;

struct Bounds {
  float low, high;
};

Bounds bounds_of(Activation act) {
  const float infinity = std::numeric_limits<float>::infinity();
  switch (act) {
    case Activation::relu:
      return {0.0f, infinity};
    case Activation::relu6:
      return {0.0f, 6.0f};
    case Activation::none:
      break;
  }
  return {-infinity, infinity};
}

std::int64_t row_count(const Tensor& x) {
  return x.size(0) * x.size(2) * x.size(3);
}

template <class Body>
void over_rows(const Tensor& x, const Body& body) {
  detail::parallel_for(0, row_count(x), std::max<std::int64_t>(1, grain_elements / x.size(1)), body);
}

// Two sums a channel over all rows: `body(begin, end, first, second)` adds its rows'. Partial sums are per
// chunk of fixed size and added in order, so that the result does not depend on the number of threads.
template <class Body>
std::pair<std::vector<double>, std::vector<double>> channel_sums(const Tensor& x, const Body& body) {
  const std::int64_t rows = row_count(x), channels = x.size(1);
  const std::int64_t chunks = std::clamp<std::int64_t>(rows * channels / grain_elements, 1, 64);
  const std::int64_t per_chunk = (rows + chunks - 1) / chunks;
  std::vector<double> partial(static_cast<std::size_t>(2 * chunks * channels), 0.0);
  detail::parallel_for(0, chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t chunk = begin; chunk < end; ++chunk) {
      double* sums = partial.data() + 2 * chunk * channels;
      body(chunk * per_chunk, std::min(rows, (chunk + 1) * per_chunk), sums, sums + channels);
    }
  });
  std::vector<double> first(static_cast<std::size_t>(channels)), second(static_cast<std::size_t>(channels));
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    const double* sums = partial.data() + 2 * chunk * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      first[static_cast<std::size_t>(c)] += sums[c];
      second[static_cast<std::size_t>(c)] += sums[channels + c];
    }
  }
  return {std::move(first), std::move(second)};
}

// One row a quantity: mean, 1/sigma, and the x * scale + offset that normalising comes to.
enum Fact { mean_row, inv_std_row, scale_row, offset_row, fact_rows };

struct Statistics {
  Tensor facts;  // fact_rows x C
  std::vector<double> variance;
};

Statistics batch_statistics(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  const std::int64_t channels = x.size(1);
  const auto rows = static_cast<double>(row_count(x));
  const float* in = x.const_data_ptr<float>();
  // Sums of x - (first row) stay exact where the mean is large against the spread.
  auto [sum, sum_sq] =
      channel_sums(x, [&](std::int64_t begin, std::int64_t end, double* first, double* second) {
        centred_sums(in, in, begin, end, channels, first, second);
      });
  Statistics out{torch::empty({fact_rows, channels}, x.options().memory_format(at::MemoryFormat::Contiguous)),
                 std::vector<double>(static_cast<std::size_t>(channels))};
  float* facts = out.facts.data_ptr<float>();
  const float* gamma = weight.const_data_ptr<float>();
  const float* beta = bias.const_data_ptr<float>();
  for (std::int64_t c = 0; c < channels; ++c) {
    const auto i = static_cast<std::size_t>(c);
    const double shifted = sum[i] / rows;
    const double variance = std::max(0.0, sum_sq[i] / rows - shifted * shifted);
    const double mean = in[c] + shifted, inv_std = 1.0 / std::sqrt(variance + eps);
    out.variance[i] = variance;
    facts[mean_row * channels + c] = static_cast<float>(mean);
    facts[inv_std_row * channels + c] = static_cast<float>(inv_std);
    facts[scale_row * channels + c] = static_cast<float>(gamma[c] * inv_std);
    facts[offset_row * channels + c] = static_cast<float>(beta[c] - mean * gamma[c] * inv_std);
  }
  return out;
}

void update_running(torch::nn::BatchNorm2dImpl& bn, const Statistics& statistics, std::int64_t rows) {
  const double momentum = *bn.options.momentum();
  const double unbiased =
      static_cast<double>(rows) / static_cast<double>(std::max<std::int64_t>(rows - 1, 1));
  const std::int64_t channels = statistics.facts.size(1);
  const float* mean = statistics.facts.const_data_ptr<float>() + mean_row * channels;
  float* running_mean = bn.running_mean.data_ptr<float>();
  float* running_var = bn.running_var.data_ptr<float>();
  for (std::int64_t c = 0; c < channels; ++c) {
    const double variance = statistics.variance[static_cast<std::size_t>(c)] * unbiased;
    running_mean[c] = static_cast<float>((1 - momentum) * running_mean[c] + momentum * mean[c]);
    running_var[c] = static_cast<float>((1 - momentum) * running_var[c] + momentum * variance);
  }
}

ForwardFacts forward_facts(const Tensor& x, const Tensor& facts, Activation act) {
  const float* rows = facts.const_data_ptr<float>();
  const std::int64_t channels = facts.size(1);
  const Bounds bounds = bounds_of(act);
  return {x.const_data_ptr<float>(),
          rows + scale_row * channels,
          rows + offset_row * channels,
          rows + mean_row * channels,
          bounds.low,
          bounds.high};
}

class BatchNormAct : public torch::autograd::Function<BatchNormAct> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* ctx, const Tensor& x, const Tensor& weight,
                        const Tensor& bias, torch::nn::BatchNorm2dImpl* bn, Activation act) {
    const Statistics statistics = batch_statistics(x, weight, bias, bn->options.eps());
    update_running(*bn, statistics, row_count(x));
    Tensor y = torch::empty_like(x);
    const ForwardFacts f = forward_facts(x, statistics.facts, act);
    float* out = y.data_ptr<float>();
    over_rows(x, [&](std::int64_t begin, std::int64_t end) {
      scale_clamp(f.x, f.scale, f.offset, f.low, f.high, begin, end, x.size(1), out);
    });
    ctx->save_for_backward({x, statistics.facts});
    ctx->saved_data["act"] = static_cast<std::int64_t>(act);
    return y;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* ctx,
                                               torch::autograd::tensor_list grads) {
    if (torch::GradMode::is_enabled()) {
      throw Error(ErrorCode::unsupported, "the batch norm of an image model has no second derivative",
                  {{"operation", "backward with create_graph"}}, "put the batch norms into eval mode first");
    }
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &facts = saved[1];
    const Tensor grad = grads[0].contiguous(at::MemoryFormat::ChannelsLast);
    const auto act = static_cast<Activation>(ctx->saved_data["act"].toInt());
    return gradients(x, facts, grad, forward_facts(x, facts, act), ctx->needs_input_grad(0));
  }

 private:
  static torch::autograd::tensor_list gradients(const Tensor& x, const Tensor& facts, const Tensor& grad,
                                                const ForwardFacts& f, bool needs_dx) {
    const std::int64_t channels = x.size(1);
    const auto rows = static_cast<double>(row_count(x));
    const float* g = grad.const_data_ptr<float>();
    auto [sum, dot] =
        channel_sums(x, [&](std::int64_t begin, std::int64_t end, double* first, double* second) {
          gradient_sums(g, f, begin, end, channels, first, second);
        });
    Tensor dweight = torch::empty({channels}, facts.options()),
           dbias = torch::empty({channels}, facts.options());
    Tensor terms = torch::empty({2, channels}, facts.options());
    float *dw = dweight.data_ptr<float>(), *db = dbias.data_ptr<float>(), *constant = terms.data_ptr<float>();
    float* slope = constant + channels;
    const float* inv_std = facts.const_data_ptr<float>() + inv_std_row * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const auto i = static_cast<std::size_t>(c);
      dw[c] = static_cast<float>(dot[i] * inv_std[c]);
      db[c] = static_cast<float>(sum[i]);
      constant[c] = static_cast<float>(f.scale[c] * sum[i] / rows);
      slope[c] = static_cast<float>(f.scale[c] * dot[i] * inv_std[c] * inv_std[c] / rows);
    }
    Tensor dx;
    if (needs_dx) {
      dx = torch::empty_like(x);
      float* out = dx.data_ptr<float>();
      over_rows(x, [&](std::int64_t begin, std::int64_t end) {
        input_gradient(g, f, constant, slope, begin, end, channels, out);
      });
    }
    return {dx, dweight, dbias, Tensor(), Tensor()};
  }
};

bool fits_fused(const Tensor& x, const torch::nn::BatchNorm2dImpl& bn) {
  return bn.is_training() && x.is_cpu() && x.scalar_type() == torch::kFloat && x.dim() == 4 &&
         x.numel() > 0 && x.is_contiguous(at::MemoryFormat::ChannelsLast) &&
         bn.options.momentum().has_value() && bn.options.affine() && bn.options.track_running_stats() &&
         bn.weight.scalar_type() == torch::kFloat && row_count(x) > 1;
}

}  // namespace

void activate_(Tensor& x, Activation act) {
  switch (act) {
    case Activation::relu:
      x.relu_();
      break;
    case Activation::relu6:
      torch::relu6_(x);
      break;
    case Activation::none:
      break;
  }
}

Tensor batch_norm_act(const Tensor& x, torch::nn::BatchNorm2dImpl& bn, Activation act) {
  if (!fits_fused(x, bn)) {
    Tensor y = bn.forward(x);
    activate_(y, act);
    return y;
  }
  bn.num_batches_tracked.add_(1);
  return BatchNormAct::apply(x, bn.weight, bn.bias, &bn, act);
}

}  // namespace kindling::detail
