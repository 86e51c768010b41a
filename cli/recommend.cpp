#include <kindling/collab.hpp>
#include <kindling/core/error.hpp>

#include "cli/model_path.hpp"
#include "cli/output.hpp"
#include "cli/rating_task.hpp"

#include <algorithm>
#include <charconv>
#include <memory>

#include <fmt/format.h>

namespace kindling::cli {

namespace {

struct RecommendFlags {
  CommonOptions common;
  std::string model;
  std::string user;
  std::vector<std::string> rated;
  std::string similar;
  int n = 10;
};

/// "Alien (1979)=5": an item and what it was rated.
std::pair<std::string, double> parse_rating(const std::string& text) {
  const std::size_t at = text.rfind('=');
  double value = 0;
  if (at != std::string::npos && at > 0) {
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + at + 1, end, value);
    if (parsed.ec == std::errc() && parsed.ptr == end) return {text.substr(0, at), value};
  }
  throw Error(ErrorCode::usage, "a rating is written ITEM=NUMBER", {{"got", text}}, "--rate 'Alien (1979)=5'");
}

std::vector<ScoredItem> by_ratings(const Recommender& model, const RecommendFlags& o) {
  if (!o.similar.empty()) return model.similar(o.similar, {.n = o.n});
  if (!o.user.empty()) return model.recommend(o.user, {.n = o.n});
  std::vector<std::pair<std::string, double>> rated;
  for (const std::string& text : o.rated) rated.push_back(parse_rating(text));
  return model.recommend(model.fold_in(rated), {.n = o.n});
}

std::vector<ScoredItem> by_ranking(const TopN& model, const RecommendFlags& o) {
  if (!o.similar.empty()) return model.similar(o.similar, o.n);
  if (!o.user.empty()) return model.recommend(o.user, o.n);
  // A ranking knows who had what: a number behind the item is not needed.
  const auto& names = model.known().items().items();
  std::vector<std::string> liked;
  for (const std::string& text : o.rated)
    liked.push_back(std::find(names.begin(), names.end(), text) != names.end() ? text : parse_rating(text).first);
  return model.recommend_from(liked, o.n);
}

void check_flags(const RecommendFlags& o) {
  const int ways = !o.user.empty() + !o.rated.empty() + !o.similar.empty();
  if (ways == 1) return;
  throw Error(ErrorCode::usage, ways == 0 ? "for whom?" : "--user, --rate and --similar exclude each other", {},
              "--user NAME, --rate ITEM=NUMBER (as often as needed), or --similar ITEM");
}

int recommend(const RecommendFlags& o) {
  check_flags(o);
  apply(o.common);
  const fs::path path = model_path(o.model);
  const Json manifest = read_manifest(path);
  const bool ranks = manifest.contains("model") && manifest["model"].is_object() && manifest["model"].value("kind", "") == "top_n";
  const auto list = ranks ? by_ranking(TopN::load(path), o) : by_ratings(Recommender(path), o);
  const char* score = !o.similar.empty() ? "similarity" : ranks ? "score" : "rating";
  if (o.common.json) {
    for (const auto& [item, value] : list) put_json({{"item", item}, {score, value}});
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"item", score}};
  for (const auto& [item, value] : list) rows.push_back({safe(item), fmt::format("{:.3f}", value)});
  put(in_columns(rows, {false, true}));
  return 0;
}

}  // namespace

Command add_recommend(CLI::App& program) {
  auto o = std::make_shared<RecommendFlags>();
  CLI::App* app = program.add_subcommand("recommend", "What would this user like? Out of a model of ratings");
  app->add_option("MODEL", o->model, "a model file, or the run that left one")->required();
  app->add_option("--user", o->user, "a user of the ratings; what he has rated is left out")->type_name("NAME");
  app->add_option("--rate", o->rated, "someone new, by what he thinks of a few items")->allow_extra_args(false)->type_name("ITEM=NUMBER");
  app->add_option("--similar", o->similar, "items like this one")->type_name("ITEM");
  app->add_option("-n", o->n, "how many (10)")->check(CLI::Range(1, 100000))->type_name("N");
  add_common_options(*app, o->common);
  app->footer(R"(Examples:
  kindling recommend runs/ratings-1 --user 42
  kindling recommend runs/ratings-1 --rate 'Alien (1979)=5' --rate 'Notting Hill (1999)=2'
  kindling recommend runs/ratings-1 --similar 'Alien (1979)')");
  return {app, [o] { return recommend(*o); }};
}

}  // namespace kindling::cli
