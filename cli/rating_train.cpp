#include <kindling/collab.hpp>

#include "cli/output.hpp"
#include "cli/rating_set.hpp"
#include "cli/rating_task.hpp"
#include "cli/table_set.hpp"
#include "cli/watched_fit.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace kindling::cli {

namespace {

/// Beyond it a ranking of all items for all users would keep a person waiting.
constexpr double most_ranked = 5e8;

struct TrainRatingsOptions : RunFlags {
  CommonOptions common;
  RatingFlags data;
  std::string arch = "dot";
  int epochs = 5;
  double lr = 5e-3;
  std::optional<int> bs;
  double wd = 0.1;
  int factors = 50;
  std::vector<double> y_range;
  std::optional<double> l2;
  std::optional<double> liked;
  bool replacement = false;

  bool ranks() const { return arch == "ease" || arch == "ials"; }
};

/// fastai's 64, and more where an epoch would else take thousands of steps.
int batch_size(const TrainRatingsOptions& o, const RatingSet& set) {
  const auto n = static_cast<std::uint64_t>(set.splits.train.size());
  const auto wanted = static_cast<int>(std::min<std::uint64_t>(std::bit_floor(std::max<std::uint64_t>(n / 1500, 1)), 8192));
  return std::min(o.bs.value_or(std::max(64, wanted)), static_cast<int>(n));
}

/// A tenth of the span more at each end, since a sigmoid never reaches its ends.
std::pair<double, double> range_of(const TrainRatingsOptions& o, const RatingSet& set) {
  if (o.y_range.size() == 2) return {o.y_range[0], o.y_range[1]};
  const auto [low, high] = rating_bounds(set);
  const double more = high > low ? (high - low) / 10 : 0.5;
  return {low - more, high + more};
}

Json data_json(const RatingSet& set, const TrainRatingsOptions& o) {
  return {{"path", o.data.data},
          {"folder", absolute_path(o.data.data)},
          {"sha256", sha256_of(o.data.data)},
          {"ratings", set.table.n_rows()},
          {"columns", {{"user", set.columns.user}, {"item", set.columns.item}, {"rating", set.columns.rating}}},
          {"train", set.splits.train.size()},
          {"valid", set.splits.valid.size()},
          {"split", fmt::format("{:.0f} % at random, seed {}", 100 * o.data.valid_pct, o.common.seed)}};
}

void tell_data(const Json& data, Listener& listener) {
  Json event = {{"event", "data"}, {"task", "ratings"}};
  event.update(data);
  listener.event(event);
  const Json& columns = data["columns"];
  listener.message(Level::info,
                   fmt::format("{}: {} ratings, {} train, {} valid ({})\nuser     {}\nitem     {}\nrating   {}",
                               safe(data["path"].get<std::string>()), data["ratings"].get<std::int64_t>(),
                               data["train"].get<std::int64_t>(), data["valid"].get<std::int64_t>(),
                               data["split"].get<std::string>(), safe(columns["user"].get<std::string>()),
                               safe(columns["item"].get<std::string>()), safe(columns["rating"].get<std::string>())));
}

InteractionsOptions interaction_columns(const RatingSet& set, const TrainRatingsOptions& o) {
  return {.user_name = set.columns.user,
          .item_name = set.columns.item,
          .rating_name = set.columns.rating,
          .min_rating = o.ranks() ? o.liked : std::nullopt};
}

/// Root mean squared errors of the validation ratings without a model: by the mean, and by what a user and an item add to it.
Json tell_baselines(const InteractionSplit& parts, Listener& listener) {
  const Biases found = biases(parts.train);
  const auto user = found.users.to(torch::kFloat32).contiguous(), item = found.items.to(torch::kFloat32).contiguous();
  const CompressedRows& rows = parts.test.rows();
  double of_mean = 0, of_biases = 0;
  for (std::int64_t u = 0; u < rows.n_rows(); ++u) {
    const auto columns = rows.columns(u);
    const auto values = rows.row(u);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const double off = values[i] - found.mean;
      const double left = off - user.const_data_ptr<float>()[u] - item.const_data_ptr<float>()[columns[i]];
      of_mean += off * off;
      of_biases += left * left;
    }
  }
  const auto n = static_cast<double>(std::max<std::int64_t>(rows.size(), 1));
  const Json list = {{{"name", "mean"}, {"figures", {{"rmse", std::sqrt(of_mean / n)}}}},
                     {{"name", "biases"}, {"figures", {{"rmse", std::sqrt(of_biases / n)}}}}};
  listener.message(Level::info, fmt::format("\nwithout a model:\nmean: rmse {:.4f}\nmean of the user and the item: rmse {:.4f}\n",
                                            std::sqrt(of_mean / n), std::sqrt(of_biases / n)));
  listener.event({{"event", "baselines"}, {"baselines", list}});
  return list;
}

bool can_rank(const Interactions& train) {
  return static_cast<double>(train.n_users()) * static_cast<double>(train.n_items()) <= most_ranked;
}

/// How well the ratings put first what users had in the validation part, beside rankings that need no learning.
Json tell_ranking(const Ranker& ranker, const InteractionSplit& parts, const std::shared_ptr<Listener>& listener) {
  const auto results = compare_rankings({ranker}, parts.train, parts.test, {.listener = listener});
  listener->message(Level::info, "\nas a ranking of all items for each user:\n" + to_string(results));
  Json list = Json::array();
  for (const RankingResult& r : results) {
    for (const RankingFigures& f : r.at)
      list.push_back({{"name", r.name}, {"k", f.k}, {"precision", f.precision}, {"recall", f.recall}, {"ndcg", f.ndcg}, {"map", f.map}});
  }
  listener->event({{"event", "ranking"}, {"ranking", list}});
  return list;
}

/// The model of ratings as a ranker of the interactions' users and items.
Ranker ranker_of(const Recommender& model, const Interactions& train) {
  std::unordered_map<std::string, std::int64_t> codes;
  for (const std::string& item : model.items()) codes.emplace(item, static_cast<std::int64_t>(codes.size()));
  std::vector<std::int64_t> places;
  for (const std::string& item : train.items().items()) {
    const auto found = codes.find(item);
    places.push_back(found == codes.end() ? 0 : found->second);
  }
  const auto index = torch::tensor(places, torch::kInt64);
  return {"this model", [&model, train, index](const std::vector<std::int64_t>& users) {
            std::vector<torch::Tensor> rows;
            for (const std::int64_t user : users)
              rows.push_back(model.ratings(train.users().items().at(static_cast<std::size_t>(user))).index_select(0, index));
            return torch::stack(rows);
          }};
}

Learner make_learner(const RatingSet& set, const TrainRatingsOptions& o, int bs, const std::pair<double, double>& range,
                     const std::shared_ptr<Listener>& listener) {
  DataLoaders dls = CollabDataLoaders::from_df(set.table, {.user_name = set.columns.user,
                                                           .item_name = set.columns.item,
                                                           .rating_name = set.columns.rating,
                                                           .seed = o.common.seed,
                                                           .valid_idx = set.splits.valid,
                                                           .bs = bs,
                                                           .val_bs = std::max(bs, 4096),
                                                           .replacement = o.replacement,
                                                           .device = small_net_device(o.common, bs),
                                                           .listener = listener});
  listener->message(Level::info, rating_counts(dls).to_string());
  return collab_learner(std::move(dls), {.n_factors = o.factors,
                                         .use_nn = o.arch == "nn",
                                         .y_range = range,
                                         .metrics = {rmse},
                                         .lr = o.lr,
                                         .wd = o.wd,
                                         .listener = listener});
}

void tell_result(const Run::Outcome& outcome, const TrainRatingsOptions& o, const RunFolder& run, const std::string& some_user,
                 Listener& listener) {
  std::vector<std::string> figures;
  for (const auto& [name, value] : outcome.metrics.items()) {
    if (value.is_number()) figures.push_back(fmt::format("{} {:.4f}", name, value.get<double>()));
  }
  const std::string folder = shell_word(run.path().string());
  std::string try_it = fmt::format("  kindling recommend {} --user {}", folder, shell_word(some_user));
  if (o.arch == "dot") try_it += "\n  kindling interpret " + folder;
  tell_end(outcome, run, fmt::format("trained in {}: {}", format_duration(outcome.seconds), fmt::join(figures, ", ")), try_it,
           listener);
}

/// EASE or iALS, with no epochs to go on from: judged on the validation part, and learnt again from all ratings for the file.
Json train_ranking(const RatingSet& set, const InteractionSplit& parts, const TrainRatingsOptions& o, const RunFolder& run,
                   const std::shared_ptr<Listener>& listener) {
  const TopNOptions options{.method = o.arch, .l2 = o.l2, .seed = o.common.seed, .listener = listener};
  Json metrics = Json::object();
  if (can_rank(parts.train)) {
    const TopN judged = top_n_learner(parts.train, options);
    const Json ranking = tell_ranking(judged.ranker(), parts, listener);
    for (const char* name : {"precision", "recall", "ndcg", "map"}) metrics[name] = ranking[0][name];
  }
  top_n_learner(Interactions::from_df(set.table, interaction_columns(set, o)), options).save(run.file(model_file));
  listener->message(Level::info, "the model file is learnt from all ratings, those that validated too");
  return metrics;
}

int train(TrainRatingsOptions& o, FlagSettings& flags) {
  const auto start = Run::Clock::now();
  Beginning beginning = begin_run(o, o.data.data, flags, o.common);
  if (beginning.ended) return 0;
  const auto listener = beginning.listener;
  const RatingSet set = read_rating_set(o.data, o.common, *listener);
  const Json data = data_json(set, o);
  if (beginning.folder) check_same_data(beginning.before, data, "ratings");
  tell_data(data, *listener);
  const InteractionSplit parts = Interactions::from_df(set.table, set.splits, interaction_columns(set, o));
  const int bs = batch_size(o, set);
  const auto range = range_of(o, set);
  if (!o.ranks()) spare_threads(o.common, bs);
  Json settings = flags.to_json();
  settings["bs"] = bs;
  settings["y_range"] = {range.first, range.second};
  settings["threads"] = at::get_num_threads();
  Json record = run_record(std::move(settings), data);
  record["task"] = "ratings";
  const std::string some_user = parts.train.users().items().front();
  if (o.ranks()) {
    Run run(o, o.data.data, std::move(record), std::move(beginning));
    const Run::Outcome outcome = run.work([&] { return train_ranking(set, parts, o, run.folder(), listener); }, start);
    tell_result(outcome, o, run.folder(), some_user, *listener);
    return exit_code_of(outcome);
  }
  record["baselines"] = tell_baselines(parts, *listener);
  listener->message(Level::info, fmt::format("ratings are said from {:.4g} to {:.4g}", range.first, range.second));
  Learner learn = make_learner(set, o, bs, range, listener);
  Run run(o, o.data.data, std::move(record), std::move(beginning));
  const Run::Outcome outcome = run.train(learn, [&] { learn.fit_one_cycle(o.epochs, o.lr, {.wd = o.wd}); }, start);
  if (outcome.status == "done" && can_rank(parts.train)) {
    const Recommender model(learn);
    tell_ranking(ranker_of(model, parts.train), parts, listener);
    listener->message(Level::info, "A model of ratings says how many stars, which is not what to show first: --arch ease ranks.");
  }
  tell_result(outcome, o, run.folder(), some_user, *listener);
  return exit_code_of(outcome);
}

void add_model_flags(CLI::App& app, TrainRatingsOptions& o, FlagSettings& flags) {
  flags.add(app.add_option("--arch", o.arch,
                           "dot (factors and biases, as fastai), nn (a net), or to rank: ease, ials (dot)")
                ->check(CLI::IsMember({"dot", "nn", "ease", "ials"}))
                ->type_name("NAME"),
            "arch", o.arch);
  flags.add(app.add_option("--epochs", o.epochs, "epochs (5)")->check(CLI::Range(1, 100000))->type_name("N"), "epochs", o.epochs);
  flags.add(app.add_option("--lr", o.lr, "learning rate at its height (0.005)")->check(CLI::PositiveNumber)->type_name("RATE"),
            "lr", o.lr);
  flags.add(app.add_option("--bs", o.bs, "ratings in a batch (64, more for more than 100,000 ratings)")
                ->check(CLI::Range(1, 1 << 24))
                ->type_name("N"),
            "bs", o.bs);
  flags.add(app.add_option("--wd", o.wd, "weight decay (0.1)")->check(CLI::NonNegativeNumber)->type_name("RATE"), "wd", o.wd);
  flags.add(app.add_option("--factors", o.factors, "factors of users and items (50)")->check(CLI::Range(1, 4096))->type_name("N"),
            "factors", o.factors);
  flags.add(app.add_option("--y-range", o.y_range, "what ratings can be (a tenth of their span wider than what they are)")
                ->delimiter(',')
                ->expected(2)
                ->allow_extra_args(false)
                ->type_name("LOW,HIGH"),
            "y_range", o.y_range);
  flags.add(app.add_option("--l2", o.l2, "regularisation of ease and ials (by the ratings)")->check(CLI::PositiveNumber)->type_name("L2"),
            "l2", o.l2);
  flags.add(app.add_option("--liked", o.liked, "ratings below it are left out of ease and ials (none)")->type_name("RATING"),
            "liked", o.liked);
  flags.add(app.add_flag("--replacement", o.replacement, "draw an epoch's ratings with replacement, as fastai since 2.7.15"),
            "replacement", o.replacement);
}

}  // namespace

Command add_train_ratings(CLI::App& program) {
  auto o = std::make_shared<TrainRatingsOptions>();
  auto flags = std::make_shared<FlagSettings>();
  CLI::App* app = program.add_subcommand("train", "Fit a model to ratings");
  add_rating_flags(*app, o->data);
  add_run_flags(*app, *o);
  add_model_flags(*app, *o, *flags);
  add_patience_flag(*app, *o, *flags);
  add_common_options(*app, o->common);
  note_rating_flags(*app, o->data, *flags);
  flags->add(app->get_option("--threads"), "threads", o->common.threads);
  flags->add(app->get_option("--device"), "device", o->common.device);
  flags->add(app->get_option("--seed"), "seed", o->common.seed);
  app->footer(R"(Examples:
  kindling train ratings.csv                       columns like userId, movieId, rating
  kindling train ratings.csv --titles movies.csv   items by their titles
  kindling train ratings.csv --arch ease           what to show first, rather than how many stars
  kindling train log.csv --user who --item what --rating n)");
  return {app, [o, flags] { return train(*o, *flags); }};
}

}  // namespace kindling::cli
