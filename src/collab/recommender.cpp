#include <kindling/collab/learner.hpp>
#include <kindling/collab/recommender.hpp>
#include <kindling/core/error.hpp>
#include <kindling/data/picture.hpp>
#include <kindling/nn/weights.hpp>
#include <kindling/train/export.hpp>

#include "collab/all_ratings.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linalg_solve.h>
#include <fmt/format.h>
#include <torch/types.h>

namespace kindling {

namespace {

/// Nearer to an end of `y_range` than this part of it, a rating's logit says more than the rating does.
constexpr double end_part = 0.01;

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// A name that is nearly the one asked for, else some that hold it.
std::string near_names(const std::string& name, const std::vector<std::string>& names) {
  if (const std::string hint = did_you_mean(name, names); !hint.empty()) return hint;
  std::string found;
  for (std::size_t i = 1, n = 0; i < names.size() && n < 3; ++i) {
    if (lower(names[i]).find(lower(name)) == std::string::npos) continue;
    found += fmt::format("{}'{}'", n++ == 0 ? " (there is " : ", ", names[i]);
  }
  return found.empty() ? found : found + ")";
}

}  // namespace

struct Recommender::State {
  std::shared_ptr<const TabularEncoder> encoder;
  Model model;  // in evaluation mode
  torch::Tensor weights[2], biases[2];  // of users, of items; a net has no biases
  std::optional<std::pair<double, double>> y_range;
  std::shared_ptr<RatedItems> rated;
  std::vector<std::int64_t> item_counts;  // ratings of each item, where `rated` is kept

  State(Model given, const std::shared_ptr<const BatchEncoder>& processing)
      : encoder(std::dynamic_pointer_cast<const TabularEncoder>(processing)), model(std::move(given)) {
    torch::nn::Module& module = model.module();
    module.eval();
    for (auto& p : module.parameters()) p.set_requires_grad(false);
    if (auto* dot = dynamic_cast<EmbeddingDotBias*>(&module)) {
      weights[0] = dot->u_weight->weight, weights[1] = dot->i_weight->weight;
      biases[0] = dot->u_bias->weight.flatten(), biases[1] = dot->i_bias->weight.flatten();
      y_range = dot->y_range();
    } else if (dynamic_cast<EmbeddingNN*>(&module)) {
      const auto parameters = module.named_parameters();
      weights[0] = parameters["embeds.0.weight"], weights[1] = parameters["embeds.1.weight"];
    } else {
      throw Error(ErrorCode::usage, "this is no model of ratings", {}, "make the learner with collab_learner");
    }
    for (const int side : {0, 1}) {
      if (weights[side].size(0) == classes(side).size()) continue;
      throw Error(ErrorCode::bad_model, "the model has another number of factors than there are names",
                  {{"column", encoder->cat_names()[static_cast<std::size_t>(side)]}, {"names", classes(side).size()},
                   {"factors", weights[side].size(0)}});
    }
    for (const auto& child : module.named_children()) {
      if (child.key() == "rated") rated = std::dynamic_pointer_cast<RatedItems>(child.value());
    }
    if (!rated) return;
    rated->check(weights[1].size(0));
    item_counts.resize(static_cast<std::size_t>(weights[1].size(0)));
    const auto* item = rated->items.const_data_ptr<std::int32_t>();
    for (std::int64_t i = 0; i < rated->size(); ++i) ++item_counts[static_cast<std::size_t>(item[i])];
  }

  const CategoryMap& classes(int side) const {
    return encoder->classes(encoder->cat_names()[static_cast<std::size_t>(side)]);
  }

  torch::Tensor codes(const Recommender& of, const std::vector<std::string>& names, bool is_item) const {
    auto codes = torch::empty({static_cast<std::int64_t>(names.size())}, torch::kInt64);
    auto* code = codes.data_ptr<std::int64_t>();
    for (const std::string& name : names) *code++ = of.code(name, is_item);
    return codes;
  }

  void need_biases(const char* what) const {
    if (biases[0].defined()) return;
    throw Error(ErrorCode::usage, fmt::format("a net has no {}", what), {}, "train with .use_nn = false");
  }

  void need_rated() const {
    if (rated) return;
    throw Error(ErrorCode::usage, "the model does not keep what was rated", {},
                "train with .keep_rated = true, or ask with .with_rated = true and name what to leave out in .without");
  }

  torch::Tensor in_range(const torch::Tensor& said) const {
    if (!y_range) return said;
    return torch::sigmoid(said) * (y_range->second - y_range->first) + y_range->first;
  }

  /// The n best by score; codes in `without` and "#na#" are left out.
  std::vector<ScoredItem> best(const torch::Tensor& scores, std::int64_t n,
                               const std::vector<std::int64_t>& without) const {
    auto left = scores.to(torch::kFloat64).clone();
    auto* score = left.data_ptr<double>();
    std::vector<std::int64_t> order;
    constexpr double never = -std::numeric_limits<double>::infinity();
    score[0] = never;
    for (const std::int64_t code : without) score[code] = never;
    for (std::int64_t i = 0; i < left.numel(); ++i) {
      if (score[i] > never) order.push_back(i);
    }
    const auto end = order.begin() + std::clamp<std::int64_t>(n, 0, static_cast<std::int64_t>(order.size()));
    std::partial_sort(order.begin(), end, order.end(), [&](std::int64_t a, std::int64_t b) {
      return score[a] != score[b] ? score[a] > score[b] : a < b;
    });
    std::vector<ScoredItem> items;
    for (auto i = order.begin(); i != end; ++i)
      items.push_back({classes(1).items()[static_cast<std::size_t>(*i)], score[*i]});
    return items;
  }
};

Recommender::Recommender(const Learner& learn) {
  detail::register_collab();
  detail::ratings_encoder(learn.dls.pipeline());
  // Of its own, so that training on does not change it. What the copy starts from is drawn, and is not to move the
  // stream.
  const auto generator = at::globalContext().defaultGenerator(torch::kCPU);
  const auto stream = generator.get_state();
  Model copy = model_from_spec(learn.model.spec);
  at::Generator(generator).set_state(stream);
  load_state_dict(copy.module(), Weights(state_dict(learn.model.module())));
  state_ = std::make_shared<const State>(std::move(copy), learn.dls.pipeline().encoder);
}

Recommender::Recommender(const fs::path& path) {
  detail::register_collab();
  ExportedModel exported = read_exported(path);
  detail::ratings_encoder(exported.pipeline);
  state_ = std::make_shared<const State>(std::move(exported.model), exported.pipeline.encoder);
}

const std::vector<std::string>& Recommender::users() const {
  return state_->classes(0).items();
}

const std::vector<std::string>& Recommender::items() const {
  return state_->classes(1).items();
}

std::int64_t Recommender::code(const std::string& name, bool is_item) const {
  const CategoryMap& classes = state_->classes(is_item ? 1 : 0);
  if (const std::int64_t code = classes.code(name); code > 0) return code;
  throw Error(ErrorCode::not_found, is_item ? "the model knows no such item" : "the model knows no such user",
              {{state_->encoder->cat_names()[is_item ? 1 : 0], name}},
              is_item ? "check the name" + near_names(name, classes.items())
                      : "fold the user in by a few ratings (fold_in), or train with ratings of the user's");
}

torch::Tensor Recommender::bias(const std::vector<std::string>& names, bool is_item) const {
  state_->need_biases("biases");
  return state_->biases[is_item].index_select(0, state_->codes(*this, names, is_item));
}

torch::Tensor Recommender::weight(const std::vector<std::string>& names, bool is_item) const {
  return state_->weights[is_item].index_select(0, state_->codes(*this, names, is_item));
}

torch::Tensor Recommender::ratings(const std::string& user) const {
  const State& s = *state_;
  const std::int64_t row = code(user, false);
  torch::NoGradGuard no_grad;
  if (s.biases[0].defined())
    return s.in_range(s.weights[1].mv(s.weights[0][row]) + s.biases[1] + s.biases[0][row]);
  const auto all = torch::arange(s.weights[1].size(0));
  const auto codes = torch::stack({torch::full_like(all, row), all}, 1);
  return s.model.forward({codes, torch::empty({all.size(0), 0})}).flatten();
}

torch::Tensor Recommender::ratings(const FoldedUser& user) const {
  state_->need_biases("factors for a user who is folded in");
  return state_->in_range(state_->weights[1].mv(user.weight) + state_->biases[1] + user.bias);
}

namespace {

std::vector<std::int64_t> numbers(const torch::Tensor& codes) {
  const auto wide = codes.to(torch::kInt64).contiguous();
  return {wide.const_data_ptr<std::int64_t>(), wide.const_data_ptr<std::int64_t>() + wide.numel()};
}

}  // namespace

std::vector<ScoredItem> Recommender::recommend(const std::string& user, const RecommendOptions& o) const {
  const std::int64_t row = code(user, false);
  auto without = numbers(state_->codes(*this, o.without, true));
  if (!o.with_rated) {
    state_->need_rated();
    const auto rated = numbers(state_->rated->of(row));
    without.insert(without.end(), rated.begin(), rated.end());
  }
  return state_->best(ratings(user), o.n, without);
}

std::vector<ScoredItem> Recommender::recommend(const FoldedUser& user, const RecommendOptions& o) const {
  auto without = o.without;
  if (!o.with_rated) without.insert(without.end(), user.rated.begin(), user.rated.end());
  return state_->best(ratings(user), o.n, numbers(state_->codes(*this, without, true)));
}

std::vector<ScoredItem> Recommender::similar(const std::string& item, const SimilarOptions& o) const {
  const auto& all = state_->weights[1];
  const std::int64_t row = code(item);
  std::vector<std::int64_t> without = {row};
  if (o.min_ratings > 0) {
    state_->need_rated();
    for (std::size_t i = 0; i < state_->item_counts.size(); ++i) {
      if (state_->item_counts[i] < o.min_ratings) without.push_back(static_cast<std::int64_t>(i));
    }
  }
  const auto lengths = all.norm(2, 1).clamp_min(1e-12);
  return state_->best(all.mv(all[row]) / (lengths * lengths[row]), o.n, without);
}

FoldedUser Recommender::fold_in(const std::vector<std::pair<std::string, double>>& given,
                                const FoldInOptions& o) const {
  const State& s = *state_;
  s.need_biases("factors to fold a user into");
  if (!(o.penalty > 0))
    throw Error(ErrorCode::usage, "penalty is positive", {{"penalty", fmt::format("{:g}", o.penalty)}});
  FoldedUser user;
  std::vector<double> targets;
  const auto [low, high] = s.y_range.value_or(std::pair(-std::numeric_limits<double>::infinity(),
                                                        std::numeric_limits<double>::infinity()));
  for (const auto& [item, rating] : given) {
    user.rated.push_back(item);
    if (!std::isfinite(rating) || rating < low || rating > high) {
      throw Error(ErrorCode::bad_data, "a rating lies outside of what the model can say",
                  {{"item", item}, {"rating", fmt::format("{:g}", rating)},
                   {"y_range", fmt::format("{:g} to {:g}", low, high)}},
                  "give ratings on the scale that the model was trained with");
    }
    if (!s.y_range) {
      targets.push_back(rating);
      continue;
    }
    const double part = std::clamp((rating - low) / (high - low), end_part, 1 - end_part);
    targets.push_back(std::log(part / (1 - part)));
  }
  // "#na#" is no user that was trained.
  const auto users = torch::cat({s.weights[0], s.biases[0].unsqueeze(1)}, 1).slice(0, 1).to(torch::kFloat64);
  const auto mean = users.mean(0), spread = (users - mean).square().mean(0).clamp_min(1e-6);
  const auto codes = s.codes(*this, user.rated, true);
  const auto factors = s.weights[1].index_select(0, codes);
  const auto x = torch::cat({factors, torch::ones({codes.size(0), 1})}, 1).to(torch::kFloat64);
  const auto t = torch::tensor(at::ArrayRef<double>(targets), torch::kFloat64);
  const auto left = t - s.biases[1].index_select(0, codes) - x.mv(mean);
  const auto at = mean + at::linalg_solve(x.t().matmul(x) + torch::diag(o.penalty / spread), x.t().mv(left));
  user.weight = at.slice(0, 0, -1).to(torch::kFloat32);
  user.bias = at[-1].item<double>();
  return user;
}

std::vector<ScoredItem> Recommender::best_biases(int n) const {
  state_->need_biases("biases");
  return state_->best(state_->biases[1], n, {});
}

std::vector<ScoredItem> Recommender::worst_biases(int n) const {
  state_->need_biases("biases");
  auto items = state_->best(-state_->biases[1], n, {});
  for (ScoredItem& item : items) item.score = -item.score;
  return items;
}

std::string Recommender::bias_table(int n) const {
  const auto best = best_biases(n), worst = worst_biases(n);
  std::vector<std::vector<std::string>> cells;
  for (std::size_t i = 0; i < best.size(); ++i) {
    cells.push_back({best[i].item, fmt::format("{:.3f}", best[i].score),  //
                     worst[i].item, fmt::format("{:.3f}", worst[i].score)});
  }
  return format_table({"best", "bias", "worst", "bias"}, cells);
}

torch::Tensor Recommender::components(const std::vector<std::string>& names, int k) const {
  const auto x = weight(names).to(torch::kFloat64);
  if (k < 1 || k > x.size(1) || names.empty()) {
    throw Error(ErrorCode::usage, "there are not so many components",
                {{"components", k}, {"factors", x.size(1)}, {"items", names.size()}});
  }
  const auto centred = x - x.mean(0);
  // Eigenvectors come in ascending order.
  const auto axes = std::get<1>(at::linalg_eigh(centred.t().matmul(centred))).flip(1).slice(1, 0, k);
  const auto signs = axes.gather(0, axes.abs().argmax(0, /*keepdim=*/true)).sign();
  return centred.matmul(axes * signs).to(torch::kFloat32);
}

std::vector<std::string> Recommender::most_rated(int n) const {
  state_->need_rated();
  std::vector<std::string> names;
  const auto counts = torch::tensor(at::IntArrayRef(state_->item_counts), torch::kInt64);
  for (ScoredItem& item : state_->best(counts, n, {})) {
    if (item.score > 0) names.push_back(std::move(item.item));
  }
  return names;
}

Figure Recommender::map(const ItemMapOptions& o) const {
  if (o.x < 0 || o.y < 0) throw Error(ErrorCode::usage, "components are counted from 0", {{"x", o.x}, {"y", o.y}});
  std::vector<std::string> names = most_rated(o.most_rated);
  std::size_t first = 0, end = std::min(names.size(), static_cast<std::size_t>(std::max(o.shown, 0)));
  if (!o.items.empty()) {
    first = names.size();
    names.insert(names.end(), o.items.begin(), o.items.end());
    end = names.size();
  }
  const auto places = components(names, std::max(o.x, o.y) + 1);
  Json rows = Json::array();
  for (std::size_t i = first; i < end; ++i) {
    const auto place = places[static_cast<std::int64_t>(i)];
    rows.push_back({{"x", place[o.x].item<double>()}, {"y", place[o.y].item<double>()}, {"item", names[i]}});
  }
  const auto channel = [](const char* field, int component) {
    return Json{{"field", field},
                {"type", "quantitative"},
                {"title", fmt::format("component {}", component)},
                {"scale", {{"zero", false}}}};
  };
  const Json at = {{"x", channel("x", o.x)}, {"y", channel("y", o.y)}};
  Json text = at;
  text["text"] = {{"field", "item"}, {"type", "nominal"}};
  const Json point = {{"type", "point"}, {"filled", true}, {"tooltip", {{"content", "data"}}}};
  const Json name = {{"type", "text"}, {"align", "left"}, {"dx", 6}, {"fontSize", 10}};
  return Figure(Json{{"title", "Items by their factors"},
                     {"width", 900},
                     {"height", 700},
                     {"data", {{"values", std::move(rows)}}},
                     {"layer", {{{"mark", point}, {"encoding", at}}, {{"mark", name}, {"encoding", text}}}}});
}

}  // namespace kindling
