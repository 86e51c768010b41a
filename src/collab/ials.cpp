#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/core/random.hpp>

#include "collab/top_n_model.hpp"
#include "nn/parallel_for.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/Parallel.h>
#include <ATen/ops/cholesky_solve.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linalg_cholesky.h>
#include <ATen/ops/linalg_eigh.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>

namespace kindling::detail {

namespace {

struct Settings {
  double l2, alpha, frequency;
};

/// Rows with as many columns each are solved together, of at most so many columns in all.
constexpr std::int64_t columns_at_once = 4096;

/// The rows that have columns, in lots of one length.
std::vector<std::vector<std::int64_t>> lots_of(const CompressedRows& x) {
  const auto length = [&](std::int64_t r) { return x.indptr[r + 1] - x.indptr[r]; };
  std::vector<std::int64_t> rows(static_cast<std::size_t>(x.n_rows()));
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  std::stable_sort(rows.begin(), rows.end(), [&](std::int64_t a, std::int64_t b) { return length(a) < length(b); });
  std::vector<std::vector<std::int64_t>> lots;
  for (const std::int64_t r : rows) {
    if (length(r) == 0) continue;
    const bool fits = !lots.empty() && length(lots.back().front()) == length(r) &&
                      (static_cast<std::int64_t>(lots.back().size()) + 1) * length(r) <= columns_at_once;
    if (!fits) lots.emplace_back();
    lots.back().push_back(r);
  }
  return lots;
}

/// Factors of some rows in the basis where α HᵀH is diagonal, with λ's part D = `base`, a row each. `h` is rows x columns x
/// factors.
torch::Tensor solve_lot(const torch::Tensor& h, const torch::Tensor& values, const torch::Tensor& base) {
  const auto root = values.sqrt().unsqueeze(2);
  const auto scaled = h * root, turned = scaled.transpose(1, 2);
  // (D + SᵀS)⁻¹ Sᵀ r, or the same as D⁻¹ Sᵀ (1 + S D⁻¹ Sᵀ)⁻¹ r: whichever matrix is smaller. Most items have few users.
  if (h.size(1) < h.size(2)) {
    const auto divided = scaled / base.unsqueeze(1);
    auto a = divided.matmul(turned);
    a.diagonal(0, 1, 2).add_(1);
    return divided.transpose(1, 2).matmul(at::cholesky_solve(root, at::linalg_cholesky(a))).squeeze(2);
  }
  auto a = turned.matmul(scaled);
  a.diagonal(0, 1, 2).add_(base);
  return at::cholesky_solve(turned.matmul(root), at::linalg_cholesky(a)).squeeze(2);
}

/// Factors of each row of x, given those of its columns, where w minimises
///   Σ over its pairs v (w·h - 1)² + α Σ over all columns (w·h)² + λ (Σ v + α columns)^frequency |w|².
torch::Tensor solve(const CompressedRows& x, const torch::Tensor& factors, const Settings& s) {
  const std::int64_t d = factors.size(1);
  const auto wide = factors.to(torch::kFloat64);
  const auto [spectrum, basis] = at::linalg_eigh(wide.t().matmul(wide));
  const auto base = spectrum.clamp_min(0) * s.alpha;
  const auto turned = wide.matmul(basis).to(torch::kFloat32);
  const auto lots = lots_of(x);
  auto out = torch::zeros({x.n_rows(), d});
  // Dealt out in turn, since the last lots are the longest.
  const std::int64_t threads = at::get_num_threads(), n_lots = static_cast<std::int64_t>(lots.size());
  detail::parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      for (std::int64_t lot = t; lot < n_lots; lot += threads) {
        CompressedRows rows = x.take(lots[lot]);
        const std::int64_t n = rows.n_rows(), length = rows.indptr[1];
        const auto places = at::from_blob(rows.indices.data(), {n * length}, torch::kInt32);
        const auto values = at::from_blob(rows.values.data(), {n, length}, torch::kFloat32);
        const auto weight = values.to(torch::kFloat64).sum(1, true) + s.alpha * static_cast<double>(x.n_columns);
        const auto ridge = (base + s.l2 * weight.pow(s.frequency)).to(torch::kFloat32);
        const auto solved = solve_lot(turned.index_select(0, places).view({n, length, d}), values, ridge);
        for (std::int64_t i = 0; i < n; ++i) out[lots[lot][i]].copy_(solved[i]);
      }
    }
  });
  return out.matmul(basis.to(torch::kFloat32).t());
}

/// Implicit alternating least squares. A user's factors are solved from the items' whenever they are needed, so that
/// someone new is as good as one of the training data, and the file needs no users.
class Ials : public TopNModel {
 public:
  Ials(torch::Tensor items, Settings settings) : items_(std::move(items)), settings_(settings) {}

  std::string name() const override { return "iALS"; }
  torch::Tensor scores(const CompressedRows& users) const override {
    return solve(users, items_, settings_).matmul(items_.t());
  }
  torch::Tensor similar(std::int64_t item) const override {
    const auto unit = items_ / items_.norm(2, 1, true).clamp_min(1e-12);
    return unit.matmul(unit[item]);
  }
  Json spec() const override {
    return {{"kind", "top_n"},
            {"method", "ials"},
            {"l2", settings_.l2},
            {"alpha", settings_.alpha},
            {"frequency", settings_.frequency}};
  }
  Weights::Named tensors() const override { return {{"model.item_factors", items_}}; }

 private:
  torch::Tensor items_;
  Settings settings_;
};

void check(const Settings& s) {
  require_positive("l2", s.l2);
  require_positive("alpha", s.alpha);
  if (std::isfinite(s.frequency)) return;
  throw Error(ErrorCode::usage, "frequency must be a number", {{"got", fmt::format("{}", s.frequency)}});
}

torch::Tensor start(std::int64_t n_items, const TopNOptions& options) {
  if (options.factors < 1)
    throw Error(ErrorCode::usage, "iALS needs a factor at least", {{"factors", options.factors}});
  if (options.init.defined()) {
    if (options.init.dim() == 2 && options.init.size(0) == n_items)
      return options.init.to(torch::kCPU, torch::kFloat32).contiguous();
    throw Error(ErrorCode::usage, "init has a row of factors for each item",
                {{"items", n_items}, {"got", fmt::format("[{}]", fmt::join(options.init.sizes(), ", "))}});
  }
  auto init = torch::empty({n_items, options.factors});
  const double deviation = 0.1 / std::sqrt(options.factors);
  CounterRng rng(options.seed);
  auto* out = init.data_ptr<float>();
  for (std::int64_t i = 0; i < init.numel(); ++i) out[i] = static_cast<float>(deviation * rng.normal());
  return init;
}

}  // namespace

std::shared_ptr<const TopNModel> fit_ials(const Interactions& train, const TopNOptions& options) {
  const CompressedRows &x = train.rows(), by_item = x.transposed();
  if (std::any_of(x.values.begin(), x.values.end(), [](float v) { return v < 0; })) {
    throw Error(ErrorCode::bad_data, "iALS takes values for how sure a liking is, and some are below 0", {},
                "read the table with .binary = true, or with a min_rating");
  }
  const double mean = std::accumulate(x.values.begin(), x.values.end(), 0.0) / static_cast<double>(x.size());
  const Settings settings{options.l2.value_or(0.003), options.alpha.value_or(mean), options.frequency};
  check(settings);
  if (options.iterations < 1)
    throw Error(ErrorCode::usage, "iALS needs an iteration at least", {{"iterations", options.iterations}});
  torch::Tensor items = start(train.n_items(), options);
  for (int i = 0; i < options.iterations; ++i) {
    if (interrupt_requested()) throw Error(ErrorCode::interrupted, "learning to rank was stopped");
    items = solve(by_item, solve(x, items, settings), settings);
    options.listener->progress(
        {.what = "iALS", .done = i + 1, .total = options.iterations, .finished = i + 1 == options.iterations});
  }
  return std::make_shared<Ials>(std::move(items), settings);
}

std::shared_ptr<const TopNModel> read_ials(const Json& spec, const Weights& weights, const Interactions& known) {
  const Settings settings{spec.at("l2").get<double>(), spec.at("alpha").get<double>(),
                          spec.at("frequency").get<double>()};
  check(settings);
  return std::make_shared<Ials>(checked_tensor(weights, "model.item_factors", {known.n_items(), -1}), settings);
}

}  // namespace kindling::detail
