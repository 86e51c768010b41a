// The programs of docs/guide/ratings.md, compiled and run (see train_docs_test.cpp).

#include <kindling/collab.hpp>
#include <kindling/collab/top_n.hpp>

#include "core/temporary_folder.hpp"
#include "docs/working_folder.hpp"

#include <array>
#include <iostream>

#include <gtest/gtest.h>
#include <torch/utils.h>

using namespace kindling;
using namespace kindling::testing;

namespace {

constexpr std::array titles = {"Toy Story (1995)",       "Alien (1979)",        "Silence of the Lambs, The (1991)",
                               "Notting Hill (1999)",    "Titanic (1997)",      "Babe (1995)",
                               "Usual Suspects (1995)",  "Seven (1995)",        "Fellowship of the Ring (2001)",
                               "Two Towers, The (2002)", "Heat (1995)",         "Casino (1995)"};
constexpr std::array keys = {1, 1214, 593, 2671, 1721, 34, 50, 47, 4993, 5952, 6, 16};

/// A folder with ratings.csv and movies.csv in it, which is the working folder while it lives.
class FilmFolder {
 public:
  FilmFolder() {
    std::string ratings = "userId,movieId,rating\n", movies = "movieId,title\n";
    for (std::size_t film = 0; film < titles.size(); ++film) movies += fmt_row(keys[film], titles[film]);
    for (int user = 1; user <= 60; ++user) {
      for (std::size_t film = 0; film < titles.size(); ++film) {
        if ((user * 7 + static_cast<int>(film) * 5 + user * static_cast<int>(film)) % 3 == 0) continue;
        const bool likes = user % 2 == static_cast<int>(film) % 2;
        ratings += std::to_string(user) + "," + std::to_string(keys[film]) + (likes ? ",4.5\n" : ",2\n");
      }
    }
    write_file("ratings.csv", ratings);
    write_file("movies.csv", movies);
  }

 private:
  static std::string fmt_row(int key, const std::string& title) { return std::to_string(key) + ",\"" + title + "\"\n"; }
  WorkingFolder folder_;
};

Learner film_learner() {
  torch::manual_seed(1);
  auto dls = CollabDataLoaders::from_csv("ratings.csv", {.seed = 42, .titles = "movies.csv", .listener = silent_listener()});
  auto learn = collab_learner(dls, {.n_factors = 5, .y_range = {{0, 5.5}}, .listener = silent_listener()});
  learn.fit_one_cycle(5, 5e-2);
  return learn;
}

}  // namespace

TEST(RatingsGuide, Trains) {
  const FilmFolder folder;
  //! trains
  auto dls = CollabDataLoaders::from_csv("ratings.csv", {.seed = 42, .titles = "movies.csv"});
  std::cout << rating_counts(dls).to_string() << dls.batch_table();
  auto learn = collab_learner(dls, {.n_factors = 50, .y_range = {{0, 5.5}}});
  learn.fit_one_cycle(5, 5e-3, {.wd = 0.1});
  std::cout << results_table(learn);
  learn.export_to("movies.safetensors");
  //!
  EXPECT_TRUE(fs::exists("movies.safetensors"));
}

TEST(RatingsGuide, Recommends) {
  const FilmFolder folder;
  const Learner learn = film_learner();
  //! knows
  const Recommender films(learn);                  // or films("movies.safetensors")
  films.recommend("42", {.n = 10});                // items with the highest ratings that user 42 has not rated
  films.similar("Silence of the Lambs, The (1991)", {.n = 5, .min_ratings = 20});
  films.bias({"Titanic (1997)"});                  // as fastai's model.bias and model.weight
  films.weight({"42"}, /*is_item=*/false);
  std::cout << films.bias_table(5);                // liked, and not liked, whatever their kind
  films.map().save("map.html");                    // the most rated items by two principal components of their factors
  //!
  EXPECT_TRUE(fs::exists("map.html"));
  //! folds
  auto me = films.fold_in({{"Alien (1979)", 5}, {"Notting Hill (1999)", 2}});
  films.recommend(me, {.n = 10});
  //!
  EXPECT_FALSE(films.recommend(me, {.n = 10}).empty());
}

TEST(RatingsGuide, Ranks) {
  const FilmFolder folder;
  //! ranks
  auto all = Interactions::from_df(read_table("ratings.csv"));     // user, item, rating: the first three columns
  std::cout << all.summary() << "\n";                              // 610 users, 9724 items, 100836 pairs (1.70 % of all)
  auto [train, test] = hold_out(all, {.fraction = 0.2});           // a fifth of each user's items
  auto top = top_n_learner(train);
  std::cout << to_string(compare_rankings({top.ranker()}, train, test)) << "\n";
  //!
  EXPECT_EQ(all.n_users(), 60);
  //! stars
  auto score = [&](const std::vector<std::int64_t>& users) {       // users x items, float32
    return torch::rand({static_cast<std::int64_t>(users.size()), train.n_items()});
  };
  std::cout << to_string(compare_rankings({Ranker{"chance", score}, top.ranker()}, train, test, {.ks = {5, 10}}));
  //!
}

TEST(RatingsGuide, Saves) {
  const FilmFolder folder;
  const auto all = Interactions::from_df(read_table("ratings.csv"));
  //! saves
  auto top = top_n_learner(all);                      // for use: everything teaches
  for (auto& [item, score] : top.recommend("42", 5)) std::cout << item << " " << score << "\n";
  top.recommend_from({"4993", "5952"});               // someone new, at once; nothing is learnt anew
  top.similar("1");                                   // Toy Story: its sequel, Independence Day, Babe, Toy Story 3 …
  top.save("films.safetensors");                      // one sealed file; TopN::load reads it
  //!
  EXPECT_EQ(TopN::load("films.safetensors").recommend("42", 5).size(), top.recommend("42", 5).size());
}

TEST(RatingsGuide, TakesClicks) {
  const FilmFolder folder;
  const Table ratings = read_table("ratings.csv");
  const Table clicks({{"visitor", std::vector<std::string>{"a", "a"}}, {"page", std::vector<std::string>{"home", "shop"}}});
  //! clicks
  auto visits = Interactions::from_df(clicks, {.user_name = "visitor", .item_name = "page", .binary = true});
  auto liked = Interactions::from_df(ratings, {.min_rating = 4, .binary = true});
  //!
  EXPECT_EQ(visits.size(), 2);
  EXPECT_LT(liked.size(), ratings.n_rows());
}
