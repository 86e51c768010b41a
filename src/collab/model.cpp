#include <kindling/collab/model.hpp>
#include <kindling/core/error.hpp>

#include "collab/dot_bias.hpp"

#include <algorithm>

namespace kindling {

namespace {

/// A table of factors of more elements is refused: 8 GiB.
constexpr std::int64_t max_elements = std::int64_t{1} << 31;

bool is_table(std::int64_t rows, std::int64_t columns) {
  return rows > 0 && columns > 0 && rows <= max_elements / columns;
}

std::vector<std::int32_t> codes_of(const torch::Tensor& codes) {
  const auto flat = codes.to(torch::kInt32).contiguous();
  const auto* begin = flat.const_data_ptr<std::int32_t>();
  return {begin, begin + flat.numel()};
}

}  // namespace

// ---- RatedItems

RatedItems::RatedItems(std::int64_t n_users, std::int64_t n_ratings) {
  if (!is_table(n_users, 1) || n_ratings < 0 || n_ratings > max_elements) {
    throw Error(ErrorCode::usage, "a list of rated items cannot be made with these sizes",
                {{"users", n_users}, {"ratings", n_ratings}});
  }
  offsets = register_buffer("offsets", torch::zeros({n_users + 1}, torch::kInt64));
  items = register_buffer("items", torch::zeros({n_ratings}, torch::kInt32));
}

RatedItems::RatedItems(std::int64_t n_users, const torch::Tensor& user_codes, const torch::Tensor& item_codes)
    : RatedItems(n_users, 0) {
  const auto of_user = codes_of(user_codes), of_item = codes_of(item_codes);
  auto* offset = offsets.data_ptr<std::int64_t>();
  for (const std::int32_t user : of_user) ++offset[user + 1];
  for (std::int64_t u = 0; u < n_users; ++u) offset[u + 1] += offset[u];
  std::vector<std::int32_t> sorted(of_item.size());
  std::vector<std::int64_t> next(offset, offset + n_users);
  for (std::size_t i = 0; i < of_item.size(); ++i) sorted[static_cast<std::size_t>(next[of_user[i]]++)] = of_item[i];
  std::int64_t kept = 0;
  for (std::int64_t u = 0, begin = 0; u < n_users; ++u) {
    const auto first = sorted.begin() + begin, last = sorted.begin() + offset[u + 1];
    begin = offset[u + 1];
    std::sort(first, last);
    const auto end = std::unique(first, last);
    std::copy(first, end, sorted.begin() + kept);
    kept += end - first;
    offset[u + 1] = kept;
  }
  sorted.resize(static_cast<std::size_t>(kept));
  items.set_data(torch::tensor(at::ArrayRef<std::int32_t>(sorted), torch::kInt32));
}

torch::Tensor RatedItems::of(std::int64_t user) const {
  return items.slice(0, offsets[user].item<std::int64_t>(), offsets[user + 1].item<std::int64_t>());
}

void RatedItems::check(std::int64_t n_items) const {
  const auto steps = offsets.diff();
  const bool good = offsets[0].item<std::int64_t>() == 0 && offsets[-1].item<std::int64_t>() == items.numel() &&
                    (steps >= 0).all().item<bool>() &&
                    (items >= 0).logical_and(items < n_items).all().item<bool>();
  if (!good) {
    throw Error(ErrorCode::bad_model, "the model's lists of rated items are damaged", {{"ratings", items.numel()}},
                "export the model again");
  }
}

// ---- EmbeddingDotBias

EmbeddingDotBias::EmbeddingDotBias(std::int64_t n_factors, std::int64_t n_users, std::int64_t n_items,
                                   std::optional<std::pair<double, double>> y_range)
    : y_range_(y_range) {
  const bool good = is_table(n_users, n_factors) && is_table(n_items, n_factors) &&
                    (!y_range || y_range->first < y_range->second);
  if (!good) {
    throw Error(ErrorCode::usage, "a model of ratings cannot be made with these options",
                {{"n_factors", n_factors}, {"users", n_users}, {"items", n_items}},
                "sizes are positive, and y_range goes from low to high");
  }
  u_weight = register_module("u_weight", trunc_normal_embedding(n_users, n_factors));
  i_weight = register_module("i_weight", trunc_normal_embedding(n_items, n_factors));
  u_bias = register_module("u_bias", trunc_normal_embedding(n_users, 1));
  i_bias = register_module("i_bias", trunc_normal_embedding(n_items, 1));
}

torch::Tensor EmbeddingDotBias::forward(const torch::Tensor& x) {
  if (x.dim() != 2 || x.size(1) != 2) {
    throw Error(ErrorCode::usage, "the model takes a user and an item in each row",
                {{"columns", x.dim() == 2 ? x.size(1) : 0}});
  }
  const auto& weight = u_weight->weight;
  if (x.is_cpu() && weight.is_cpu() && weight.scalar_type() == torch::kFloat32)
    return detail::dot_bias(x, {weight, i_weight->weight, u_bias->weight, i_bias->weight}, y_range_);
  const auto users = x.select(1, 0), items = x.select(1, 1);
  const auto dot = (u_weight->forward(users) * i_weight->forward(items)).sum(1);
  const auto rating = dot + u_bias->forward(users).squeeze(1) + i_bias->forward(items).squeeze(1);
  if (!y_range_) return rating;
  return torch::sigmoid(rating) * (y_range_->second - y_range_->first) + y_range_->first;
}

}  // namespace kindling
