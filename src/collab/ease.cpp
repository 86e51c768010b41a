#include <kindling/core/error.hpp>

#include "collab/top_n_model.hpp"
#include "nn/parallel_for.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ops/cholesky_inverse.h>
#include <ATen/ops/linalg_cholesky.h>
#include <fmt/format.h>
#include <torch/types.h>

namespace kindling::detail {

namespace {

/// x of some users times `y`, both sparse, to a dense users x columns in float64.
torch::Tensor product(const CompressedRows& x, const CompressedRows& y) {
  auto out = torch::zeros({x.n_rows(), y.n_columns}, torch::kFloat64);
  auto* sums = out.data_ptr<double>();
  detail::parallel_for(0, x.n_rows(), 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      double* sum = sums + r * y.n_columns;
      const auto columns = x.columns(r);
      const auto values = x.row(r);
      for (std::size_t i = 0; i < columns.size(); ++i) {
        const auto others = y.columns(columns[i]);
        const auto weights = y.row(columns[i]);
        for (std::size_t j = 0; j < others.size(); ++j) sum[others[j]] += static_cast<double>(values[i]) * weights[j];
      }
    }
  });
  return out;
}

/// The same with a dense matrix, in float32: either side may be the sparse one.
torch::Tensor product(const CompressedRows& x, const torch::Tensor& dense) {
  const std::int64_t width = dense.size(1);
  auto out = torch::zeros({x.n_rows(), width});
  auto* sums = out.data_ptr<float>();
  const auto* factors = dense.const_data_ptr<float>();
  detail::parallel_for(0, x.n_rows(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const auto columns = x.columns(r);
      const auto values = x.row(r);
      for (std::size_t i = 0; i < columns.size(); ++i) {
        const float* factor = factors + columns[i] * width;
        for (std::int64_t j = 0; j < width; ++j) sums[r * width + j] += values[i] * factor[j];
      }
    }
  });
  return out;
}

torch::Tensor product(const torch::Tensor& dense, const CompressedRows& y) {
  auto out = torch::zeros({dense.size(0), y.n_columns});
  auto* sums = out.data_ptr<float>();
  const auto* factors = dense.const_data_ptr<float>();
  detail::parallel_for(0, dense.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      for (std::int64_t k = 0; k < y.n_rows(); ++k) {
        const float factor = factors[r * y.n_rows() + k];
        const auto columns = y.columns(k);
        const auto values = y.row(k);
        for (std::size_t j = 0; j < columns.size(); ++j) sums[r * y.n_columns + columns[j]] += factor * values[j];
      }
    }
  });
  return out;
}

torch::Tensor inverse(torch::Tensor gram, double l2) {
  gram.diagonal().add_(l2);
  gram = at::linalg_cholesky(gram);
  gram = at::cholesky_inverse(gram);
  // LAPACK's is in columns; it equals its transpose, which costs nothing.
  return gram.t().contiguous();
}

/// Of each column x of X by users: 1 - xᵀ K x.
torch::Tensor left_by_users(const CompressedRows& by_item, const torch::Tensor& k) {
  auto out = torch::empty({by_item.n_rows()}, torch::kFloat64);
  const auto* kernel = k.const_data_ptr<double>();
  detail::parallel_for(0, by_item.n_rows(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t item = begin; item < end; ++item) {
      const auto users = by_item.columns(item);
      const auto values = by_item.row(item);
      double sum = 0;
      for (std::size_t i = 0; i < users.size(); ++i) {
        const double* row = kernel + users[i] * k.size(1);
        for (std::size_t j = 0; j < users.size(); ++j)
          sum += static_cast<double>(values[i]) * values[j] * row[users[j]];
      }
      out.data_ptr<double>()[item] = 1 - sum;
    }
  });
  return out;
}

/// Steck's EASE: with P = (XᵀX + λ)⁻¹, scores are x B for B = -P / diag(P) off its diagonal of zeros, that is
/// x - x P / diag(P).
///
/// Where there are fewer users than items, P is not made: P = (1 - Xᵀ K X) / λ with K = (X Xᵀ + λ)⁻¹ of users by users
/// (Woodbury), which has the same scores to rounding and fits where items x items would not.
class Ease : public TopNModel {
 public:
  Ease(Interactions known, bool by_users, double l2) : known_(std::move(known)), by_users_(by_users), l2_(l2) {
    if (by_users_) by_item_ = known_.rows().transposed();
  }

  void fit() {
    const CompressedRows& x = known_.rows();
    if (by_users_) {
      const torch::Tensor k = inverse(product(x, by_item_), l2_);
      diagonal_ = (left_by_users(by_item_, k) / l2_).to(torch::kFloat32);
      inverse_ = k.to(torch::kFloat32);
    } else {
      const torch::Tensor p = inverse(product(x.transposed(), x), l2_);
      diagonal_ = p.diagonal().to(torch::kFloat32).contiguous();
      inverse_ = p.to(torch::kFloat32);
    }
  }

  void read(const Weights& weights) {
    const std::int64_t n = by_users_ ? known_.n_users() : known_.n_items();
    inverse_ = checked_tensor(weights, "model.inverse", {n, n});
    diagonal_ = checked_tensor(weights, "model.diagonal", {known_.n_items()});
    if ((diagonal_ <= 0).any().item<bool>())
      throw Error(ErrorCode::bad_model, "the diagonal of an inverse is above 0", {{"tensor", "model.diagonal"}});
  }

  std::string name() const override { return "EASE"; }

  torch::Tensor scores(const CompressedRows& users) const override {
    auto scores = (times_p(users) / diagonal_).neg_();
    auto* score = scores.data_ptr<float>();
    for (std::int64_t r = 0; r < users.n_rows(); ++r) {
      const auto columns = users.columns(r);
      for (std::size_t i = 0; i < columns.size(); ++i) score[r * users.n_columns + columns[i]] += users.row(r)[i];
    }
    return scores;
  }

  torch::Tensor similar(std::int64_t item) const override {
    const CompressedRows one{.n_columns = known_.n_items(),
                             .indptr = {0, 1},
                             .indices = {static_cast<std::int32_t>(item)},
                             .values = {1}};
    return times_p(one)[0].neg() / (diagonal_ * diagonal_[item]).sqrt();
  }

  Json spec() const override {
    return {{"kind", "top_n"}, {"method", "ease"}, {"inverse", by_users_ ? "users" : "items"}, {"l2", l2_}};
  }

  Weights::Named tensors() const override { return {{"model.inverse", inverse_}, {"model.diagonal", diagonal_}}; }

 private:
  /// x P of users' rows x.
  torch::Tensor times_p(const CompressedRows& x) const {
    if (!by_users_) return product(x, inverse_);
    auto out = product(product(x, by_item_).to(torch::kFloat32).matmul(inverse_).neg_(), known_.rows());
    auto* sum = out.data_ptr<float>();
    for (std::int64_t r = 0; r < x.n_rows(); ++r) {
      const auto columns = x.columns(r);
      for (std::size_t i = 0; i < columns.size(); ++i) sum[r * x.n_columns + columns[i]] += x.row(r)[i];
    }
    return out.div_(l2_);
  }

  Interactions known_;
  bool by_users_;
  double l2_;
  CompressedRows by_item_;  ///< only by users
  torch::Tensor inverse_;   ///< P or K
  torch::Tensor diagonal_;  ///< of P
};

double mean_square(const std::vector<float>& values) {
  double sum = 0;
  for (const float v : values) sum += static_cast<double>(v) * v;
  return sum / static_cast<double>(values.size());
}

}  // namespace

std::shared_ptr<const TopNModel> fit_ease(const Interactions& train, const TopNOptions& options) {
  // On films (MovieLens) the best lies between 100 and 500 for ones, and as many times more for ratings.
  const double l2 = options.l2.value_or(200 * mean_square(train.rows().values));
  require_positive("l2", l2);
  const std::int64_t size = std::min(train.n_users(), train.n_items());
  if (size > options.max_inverse) {
    throw Error(ErrorCode::limit, "EASE would invert too large a matrix for these users and items",
                {{"size", fmt::format("{} x {}", size, size)},
                 {"memory", human_bytes(24 * static_cast<std::uint64_t>(size) * static_cast<std::uint64_t>(size))},
                 {"allowed", options.max_inverse}},
                "use .method = \"ials\", leave out rare items, or raise max_inverse where there is memory");
  }
  options.listener->progress({.what = "EASE", .total = 1});
  const auto ease = std::make_shared<Ease>(train, train.n_users() < train.n_items(), l2);
  ease->fit();
  options.listener->progress({.what = "EASE", .done = 1, .total = 1, .finished = true});
  return ease;
}

std::shared_ptr<const TopNModel> read_ease(const Json& spec, const Weights& weights, const Interactions& known) {
  const double l2 = spec.at("l2").get<double>();
  require_positive("l2", l2);
  const auto side = spec.at("inverse").get<std::string>();
  if (side != "users" && side != "items")
    throw Error(ErrorCode::bad_model, "an inverse is of users or items", {{"inverse", side}});
  const auto ease = std::make_shared<Ease>(known, side == "users", l2);
  ease->read(weights);
  return ease;
}

}  // namespace kindling::detail
