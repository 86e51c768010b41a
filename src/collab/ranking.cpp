#include <kindling/collab/ranking.hpp>
#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/core/thread_pool.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kindling {

namespace {

/// Users whose scores are in memory at once: with a million items a gigabyte.
constexpr std::size_t users_at_once = 256;

torch::Tensor numbers_to(std::int64_t last) {
  return torch::arange(1, last + 1, torch::kFloat64);
}

/// The first k places as ones and zeros.
torch::Tensor first(const torch::Tensor& hits, int k) {
  if (k < 1) throw Error(ErrorCode::usage, "a ranking is cut at a place from 1 on", {{"k", k}});
  return hits.slice(1, 0, k).to(torch::kFloat64);
}

torch::Tensor mean_rating_left(const CompressedRows& rows, double mean, const torch::Tensor& other, double shrink) {
  auto left = torch::zeros({rows.n_rows()});
  auto* out = left.data_ptr<float>();
  const auto* of_column = other.defined() ? other.const_data_ptr<float>() : nullptr;
  for (std::int64_t r = 0; r < rows.n_rows(); ++r) {
    const auto columns = rows.columns(r);
    const auto values = rows.row(r);
    double sum = 0;
    for (std::size_t i = 0; i < columns.size(); ++i) sum += values[i] - mean - (of_column ? of_column[columns[i]] : 0);
    if (!columns.empty()) out[r] = static_cast<float>(sum / (static_cast<double>(columns.size()) + shrink));
  }
  return left;
}

/// The same scores for every user.
Ranker for_everyone(std::string name, torch::Tensor scores) {
  return {std::move(name), [scores = std::move(scores)](const std::vector<std::int64_t>& users) {
            return scores.expand({static_cast<std::int64_t>(users.size()), scores.size(0)});
          }};
}

/// Items of a user that a ranking is to find.
std::vector<std::int32_t> relevant_items(const Interactions& train, const Interactions& test, std::int64_t user,
                                         const RankingOptions& options) {
  const auto known = train.rows().columns(user), kept_back = test.rows().columns(user);
  const auto ratings = test.rows().row(user);
  std::vector<std::int32_t> relevant;
  for (std::size_t i = 0; i < kept_back.size(); ++i) {
    if (options.min_rating && ratings[i] < *options.min_rating) continue;
    if (!std::binary_search(known.begin(), known.end(), kept_back[i])) relevant.push_back(kept_back[i]);
  }
  return relevant;
}

torch::Tensor scores_of(const Ranker& ranker, const std::vector<std::int64_t>& users, std::int64_t n_items) {
  const torch::Tensor scores = ranker.scores(users);
  const auto n = static_cast<std::int64_t>(users.size());
  if (!scores.defined() || scores.dim() != 2 || scores.size(0) != n || scores.size(1) != n_items) {
    throw Error(ErrorCode::usage, "a ranker gives a score for each user and item",
                {{"ranker", ranker.name},
                 {"expected", fmt::format("{} x {}", n, n_items)},
                 {"got", scores.defined() ? fmt::format("{}", fmt::join(scores.sizes(), " x ")) : "nothing"}});
  }
  return scores.detach().to(torch::kCPU, torch::kFloat32);
}

/// Users that have something to find, with it.
struct Wanted {
  std::vector<std::int64_t> users;
  std::vector<std::vector<std::int32_t>> items;
};

Wanted wanted_of(const Interactions& train, const Interactions& test, const RankingOptions& options) {
  if (!train.same_names(test)) {
    throw Error(ErrorCode::usage, "the parts of a ranking's evaluation have the same users and items",
                {{"train", train.summary()}, {"test", test.summary()}},
                "split them with hold_out or Interactions::from_df");
  }
  Wanted wanted;
  for (std::int64_t u = 0; u < test.n_users(); ++u) {
    auto items = relevant_items(train, test, u, options);
    if (items.empty()) continue;
    wanted.users.push_back(u);
    wanted.items.push_back(std::move(items));
  }
  if (wanted.users.empty()) {
    throw Error(ErrorCode::bad_data, "no user has an item that was kept back", {{"test", test.summary()}},
                "keep more back, or lower min_rating");
  }
  return wanted;
}

/// Users x most: whether the item at each place of the ranking is one to find.
torch::Tensor hits_of(const Ranker& ranker, const Interactions& train, const Wanted& wanted, int most,
                      Listener& listener) {
  auto hits = torch::zeros({static_cast<std::int64_t>(wanted.users.size()), most}, torch::kBool);
  auto* hit = hits.data_ptr<bool>();
  ThreadPool pool;
  Progress progress{.what = "Ranking by " + ranker.name, .total = hits.size(0)};
  for (std::size_t begin = 0; begin < wanted.users.size(); begin += users_at_once) {
    if (interrupt_requested()) throw Error(ErrorCode::interrupted, "the evaluation was stopped");
    const std::size_t end = std::min(begin + users_at_once, wanted.users.size());
    const std::vector<std::int64_t> users(wanted.users.begin() + static_cast<std::ptrdiff_t>(begin),
                                          wanted.users.begin() + static_cast<std::ptrdiff_t>(end));
    const torch::Tensor scores = scores_of(ranker, users, train.n_items());
    pool.for_each(users.size(), [&](std::size_t i) {
      const auto& items = wanted.items[begin + i];
      bool* row = hit + (begin + i) * static_cast<std::size_t>(most);
      const auto ranked = top_items(scores[static_cast<std::int64_t>(i)], train.rows().columns(users[i]), most);
      for (std::size_t place = 0; place < ranked.size(); ++place)
        row[place] = std::binary_search(items.begin(), items.end(), ranked[place]);
    });
    progress.done = static_cast<std::int64_t>(end);
    progress.finished = end == wanted.users.size();
    listener.progress(progress);
  }
  return hits;
}

RankingResult evaluate(const Ranker& ranker, const Interactions& train, const Wanted& wanted,
                       const RankingOptions& options) {
  if (options.ks.empty())
    throw Error(ErrorCode::usage, "a ranking is judged at one place at least", {}, "give ks = {10}");
  const int most = *std::max_element(options.ks.begin(), options.ks.end());
  if (most < 1) throw Error(ErrorCode::usage, "a ranking is cut at a place from 1 on", {{"k", most}});
  try {
    const torch::Tensor hits = hits_of(ranker, train, wanted, most, *options.listener);
    auto relevant = torch::empty({hits.size(0)}, torch::kInt64);
    for (std::size_t i = 0; i < wanted.items.size(); ++i)
      relevant.data_ptr<std::int64_t>()[i] = static_cast<std::int64_t>(wanted.items[i].size());
    RankingResult result{.name = ranker.name, .n_users = hits.size(0)};
    for (const int k : options.ks) {
      result.at.push_back({k, precision_at_k(hits, k).mean().item<double>(),
                           recall_at_k(hits, relevant, k).mean().item<double>(),
                           ndcg_at_k(hits, relevant, k).mean().item<double>(),
                           average_precision_at_k(hits, relevant, k).mean().item<double>()});
    }
    return result;
  } catch (Error& e) {
    throw e.with("ranker", ranker.name);
  }
}

bool all_equal(const std::vector<float>& values) {
  return std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) == values.end();
}

}  // namespace

Ranker popularity(const Interactions& train) {
  auto counts = torch::zeros({train.n_items()});
  for (const std::int32_t item : train.rows().indices) counts.data_ptr<float>()[item] += 1;
  return for_everyone("popularity", std::move(counts));
}

Biases biases(const Interactions& train, const BiasOptions& options) {
  const auto& values = train.rows().values;
  double sum = 0;
  for (const float v : values) sum += v;
  Biases b{.mean = values.empty() ? 0 : sum / static_cast<double>(values.size())};
  b.items = mean_rating_left(train.rows().transposed(), b.mean, {}, options.item_shrink);
  b.users = mean_rating_left(train.rows(), b.mean, b.items, options.user_shrink);
  return b;
}

Ranker bias_only(const Interactions& train, const BiasOptions& options) {
  return for_everyone("bias only", biases(train, options).items);
}

std::vector<std::int64_t> top_items(const torch::Tensor& scores, std::span<const std::int32_t> known, int n) {
  if (n < 1) throw Error(ErrorCode::usage, "at least one item can be asked for", {{"n", n}});
  const torch::Tensor row = scores.to(torch::kFloat32).contiguous();
  const auto* score = row.const_data_ptr<float>();
  std::vector<std::int64_t> candidates;
  candidates.reserve(static_cast<std::size_t>(row.numel()));
  auto next = known.begin();
  for (std::int64_t i = 0; i < row.numel(); ++i) {
    if (next != known.end() && *next == i) {
      ++next;
      continue;
    }
    if (std::isnan(score[i])) {
      throw Error(ErrorCode::usage, "a score is not a number", {{"item", i}},
                  "the model may have diverged; train it with a lower learning rate");
    }
    candidates.push_back(i);
  }
  const auto wanted = std::min(static_cast<std::size_t>(n), candidates.size());
  const auto better = [score](std::int64_t a, std::int64_t b) {
    return score[a] != score[b] ? score[a] > score[b] : a < b;
  };
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(wanted), candidates.end(), better);
  candidates.resize(wanted);
  return candidates;
}

torch::Tensor precision_at_k(const torch::Tensor& hits, int k) {
  return first(hits, k).sum(1) / k;
}

torch::Tensor recall_at_k(const torch::Tensor& hits, const torch::Tensor& relevant, int k) {
  return first(hits, k).sum(1) / relevant;
}

torch::Tensor ndcg_at_k(const torch::Tensor& hits, const torch::Tensor& relevant, int k) {
  const auto front = first(hits, k);
  const auto discounts = 1 / (numbers_to(k) + 1).log2();
  const auto best = discounts.cumsum(0).index_select(0, relevant.clamp_max(k) - 1);
  return (front * discounts.slice(0, 0, front.size(1))).sum(1) / best;
}

torch::Tensor average_precision_at_k(const torch::Tensor& hits, const torch::Tensor& relevant, int k) {
  const auto front = first(hits, k);
  return (front * front.cumsum(1) / numbers_to(front.size(1))).sum(1) / relevant.clamp_max(k);
}

const RankingFigures& RankingResult::at_k(int k) const {
  const auto found = std::find_if(at.begin(), at.end(), [k](const RankingFigures& f) { return f.k == k; });
  if (found == at.end())
    throw Error(ErrorCode::usage, "the ranking was not judged at this place", {{"k", k}}, "add it to ks");
  return *found;
}

RankingResult evaluate_ranking(const Ranker& ranker, const Interactions& train, const Interactions& test,
                               const RankingOptions& options) {
  return evaluate(ranker, train, wanted_of(train, test, options), options);
}

std::vector<RankingResult> compare_rankings(const std::vector<Ranker>& rankers, const Interactions& train,
                                            const Interactions& test, const RankingOptions& options) {
  std::vector<Ranker> all = rankers;
  all.push_back(popularity(train));
  if (!all_equal(train.rows().values)) all.push_back(bias_only(train));
  const Wanted wanted = wanted_of(train, test, options);
  std::vector<RankingResult> results;
  for (const Ranker& ranker : all) results.push_back(evaluate(ranker, train, wanted, options));
  return results;
}

std::string to_string(const std::vector<RankingResult>& results) {
  if (results.empty()) return "";
  std::size_t width = 0;
  for (const RankingResult& r : results) width = std::max(width, r.name.size());
  std::string text(width, ' ');
  for (const RankingFigures& f : results.front().at)
    text += fmt::format("  precision@{0}  recall@{0}  NDCG@{0}  MAP@{0}", f.k);
  for (const RankingResult& r : results) {
    text += fmt::format("\n{:{}}", r.name, width);
    for (const RankingFigures& f : r.at) {
      // As wide as the names above, which grow with k.
      const auto digits = fmt::formatted_size("{}", f.k);
      text += fmt::format("  {:{}.4f}  {:{}.4f}  {:{}.4f}  {:{}.4f}", f.precision, 10 + digits, f.recall, 7 + digits,
                          f.ndcg, 5 + digits, f.map, 4 + digits);
    }
  }
  return text;
}

}  // namespace kindling
