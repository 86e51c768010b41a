#include <kindling/core/error.hpp>
#include <kindling/tabular/tabm.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <torch/nn/functional/dropout.h>
#include <torch/nn/functional/embedding.h>
#include <torch/nn/functional/loss.h>
#include <torch/types.h>

namespace kindling {

namespace F = torch::nn::functional;

namespace {

/// torch's default for linear layers.
torch::Tensor linear_weight(std::int64_t in, std::int64_t out) {
  const double bound = 1 / std::sqrt(static_cast<double>(std::max<std::int64_t>(in, 1)));
  return torch::empty({in, out}).uniform_(-bound, bound);
}

torch::Tensor linear_bias(std::int64_t in, c10::IntArrayRef shape) {
  const double bound = 1 / std::sqrt(static_cast<double>(std::max<std::int64_t>(in, 1)));
  return torch::empty(shape).uniform_(-bound, bound);
}

/// `n` of the sorted values, as evenly spread as they come.
torch::Tensor spread(const torch::Tensor& sorted, std::int64_t n) {
  const double last = static_cast<double>(sorted.numel() - 1);
  const auto places = torch::arange(n, torch::kFloat64).div_(static_cast<double>(std::max<std::int64_t>(n - 1, 1))).mul_(last).round_();
  return sorted.index_select(0, places.to(torch::kInt64));
}

/// Ends of at most `bins` pieces, ascending: quantiles; where one value is so frequent that several of them coincide, the rest
/// are spread over the other values, which would else share a few pieces (most capital gains are 0).
torch::Tensor piece_edges(const torch::Tensor& values, std::int64_t bins) {
  const auto sorted = std::get<0>(values.sort());
  const auto edges = std::get<0>(torch::unique_consecutive(spread(sorted, bins + 1)));
  const auto distinct = std::get<0>(torch::unique_consecutive(sorted));
  const auto others = distinct.masked_select(torch::isin(distinct, edges).logical_not());
  const std::int64_t n = std::min(others.numel(), bins + 1 - edges.numel());
  return n > 0 ? std::get<0>(torch::cat({edges, spread(others, n)}).sort()) : edges;
}

}  // namespace

Json to_json(const TabMConfig& c) {
  return {{"k", c.k},       {"width", c.width}, {"blocks", c.blocks},   {"dropout", c.dropout},
          {"bins", c.bins}, {"d_num", c.d_num}, {"one_hot", c.one_hot}, {"d_cat", c.d_cat}};
}

TabMConfig tabm_config_from_json(const Json& json) {
  return {.k = json.at("k").get<int>(),
          .width = json.at("width").get<int>(),
          .blocks = json.at("blocks").get<int>(),
          .dropout = json.at("dropout").get<double>(),
          .bins = json.at("bins").get<int>(),
          .d_num = json.at("d_num").get<int>(),
          .one_hot = json.at("one_hot").get<int>(),
          .d_cat = json.at("d_cat").get<int>()};
}

TabM::TabM(std::vector<std::int64_t> cards, int n_cont, int out_sz, bool classes, const TabMConfig& c)
    : cards_(std::move(cards)), n_cont_(n_cont), out_(out_sz), classes_(classes), config_(c) {
  if (c.k < 1 || c.width < 1 || c.blocks < 1 || c.bins < 1 || c.d_num < 1 || c.d_cat < 1 || out_sz < 1 || n_cont < 0 ||
      (cards_.empty() && n_cont == 0) || c.dropout < 0 || c.dropout >= 1) {
    throw Error(ErrorCode::usage, "a net for tables cannot be made with these options",
                {{"k", c.k}, {"width", c.width}, {"blocks", c.blocks}, {"out_sz", out_sz}},
                "all sizes are positive, and 0 <= dropout < 1");
  }
  low_ = register_buffer("low", torch::zeros({n_cont, c.bins}));
  width_ = register_buffer("width", torch::ones({n_cont, c.bins}));
  first_ = register_buffer("first", torch::zeros({n_cont, c.bins}, torch::kBool));
  last_ = register_buffer("last", torch::zeros({n_cont, c.bins}, torch::kBool));
  y_mean_ = register_buffer("y_mean", torch::zeros({out_sz}));
  y_std_ = register_buffer("y_std", torch::ones({out_sz}));
  temperature_ = register_buffer("temperature", torch::ones({}));
  std::vector<std::int64_t> dims;
  num_linear_ = register_parameter("num_linear", torch::empty({n_cont, c.d_num}).uniform_(-1, 1));
  num_bias_ = register_parameter("num_bias", torch::empty({n_cont, c.d_num}).uniform_(-1, 1));
  num_pieces_ = register_parameter("num_pieces", torch::zeros({n_cont, c.bins, c.d_num}));
  for (int i = 0; i < n_cont; ++i) dims.push_back(c.d_num);
  for (std::size_t i = 0; i < cards_.size(); ++i) {
    const bool one_hot = cards_[i] <= c.one_hot;
    dims.push_back(one_hot ? cards_[i] : c.d_cat);
    cat_weights_.push_back(one_hot ? torch::Tensor()
                                   : register_parameter("cat_" + std::to_string(i),
                                                        torch::randn({cards_[i], c.d_cat}) / std::sqrt(c.d_cat)));
  }
  // One draw a member and column: what belongs to a column is scaled alike.
  std::vector<torch::Tensor> scales;
  std::int64_t in = 0;
  for (std::int64_t dim : dims) {
    scales.push_back(torch::randn({c.k, 1}).expand({c.k, dim}));
    in += dim;
  }
  member_scale_ = register_parameter("member_scale", torch::cat(scales, 1));
  first_weight_ = register_parameter("first_weight", linear_weight(in, c.width));
  first_bias_ = register_parameter("first_bias", linear_bias(in, {c.width}));
  for (int b = 1; b < c.blocks; ++b) {
    weights_.push_back(register_parameter("weight_" + std::to_string(b), linear_weight(c.width, c.width)));
    biases_.push_back(register_parameter("bias_" + std::to_string(b), linear_bias(c.width, {c.width})));
  }
  const double bound = 1 / std::sqrt(c.width);
  head_weight_ = register_parameter("head_weight", torch::empty({c.k, c.width, out_sz}).uniform_(-bound, bound));
  head_bias_ = register_parameter("head_bias", torch::empty({c.k, 1, out_sz}).uniform_(-bound, bound));
}

void TabM::set_edges(const torch::Tensor& x_cont) {
  torch::NoGradGuard no_grad;
  for (std::int64_t f = 0; f < n_cont_; ++f) {
    const auto edges = piece_edges(x_cont.select(1, f).to(torch::kFloat32), config_.bins);
    const std::int64_t n = std::max<std::int64_t>(edges.numel() - 1, 1);
    low_[f].zero_();
    width_[f].fill_(1);
    first_[f].zero_();
    last_[f].zero_();
    first_[f][0] = true;
    last_[f][n - 1] = true;
    low_[f].fill_(std::numeric_limits<float>::max());  // pieces that are not there stay at 0
    if (edges.numel() < 2) {
      low_[f][0] = edges[0];
      continue;
    }
    low_[f].slice(0, 0, n).copy_(edges.slice(0, 0, n));
    width_[f].slice(0, 0, n).copy_(edges.slice(0, 1) - edges.slice(0, 0, n));
  }
}

void TabM::set_target(const torch::Tensor& mean, const torch::Tensor& std) {
  torch::NoGradGuard no_grad;
  y_mean_.copy_(mean);
  y_std_.copy_(std);
}

void TabM::set_temperature(double temperature) {
  torch::NoGradGuard no_grad;
  temperature_.fill_(temperature);
}

double TabM::temperature() const {
  return temperature_.item<double>();
}

/// A number's linear part, and how far it is through each piece.
torch::Tensor TabM::embed_numbers(const torch::Tensor& x_cont) const {
  const auto x = x_cont.unsqueeze(2);
  auto pieces = (x - low_) / width_;
  pieces = torch::where(first_, pieces, pieces.clamp_min(0));
  pieces = torch::where(last_, pieces, pieces.clamp_max(1));
  // N x conts x bins by conts x bins x d_num, a column at a time.
  const auto bent = torch::bmm(pieces.transpose(0, 1), num_pieces_).transpose(0, 1);
  return torch::relu(x * num_linear_ + num_bias_ + bent).flatten(1);
}

torch::Tensor TabM::features(const torch::Tensor& x_cat, const torch::Tensor& x_cont) {
  std::vector<torch::Tensor> parts;
  if (n_cont_ > 0) parts.push_back(embed_numbers(x_cont));
  for (std::size_t i = 0; i < cards_.size(); ++i) {
    const auto codes = x_cat.select(1, static_cast<std::int64_t>(i));
    if (cat_weights_[i].defined())
      parts.push_back(F::embedding(codes, cat_weights_[i]));
    else
      parts.push_back(torch::zeros({codes.size(0), cards_[i]}, x_cont.options()).scatter_(1, codes.unsqueeze(1), 1));
  }
  return torch::cat(parts, 1);
}

torch::Tensor TabM::forward(const torch::Tensor& x_cat, const torch::Tensor& x_cont) {
  const auto x = features(x_cat, x_cont);
  const std::int64_t n = x.size(0), k = config_.k, d = config_.width;
  const auto drop = [&](const torch::Tensor& h) {
    return F::dropout(torch::relu(h), F::DropoutFuncOptions().p(config_.dropout).training(is_training()));
  };
  // The members' scaled inputs by one weight are the inputs by the members' scaled weights: one product.
  const auto scaled = (member_scale_.t().unsqueeze(2) * first_weight_.unsqueeze(1)).reshape({x.size(1), k * d});
  auto h = drop(x.matmul(scaled).view({n * k, d}) + first_bias_);
  for (std::size_t b = 0; b < weights_.size(); ++b) h = drop(torch::addmm(biases_[b], h, weights_[b]));
  auto out = torch::baddbmm(head_bias_, h.view({n, k, d}).transpose(0, 1), head_weight_).transpose(0, 1);
  if (!classes_) {
    out = out * y_std_ + y_mean_;
    return is_training() ? out : out.mean(1);
  }
  if (is_training()) return out;
  const auto mean = (torch::logsumexp(torch::log_softmax(out, 2), 1) - std::log(static_cast<double>(k)));
  return mean / temperature_;
}

}  // namespace kindling
