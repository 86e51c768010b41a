// Lesson 1: which films will a person like? And the book's chapter 8: what a model of ratings learns of films.
//
// Trains factors of users and films on fastai's sample of MovieLens and shows ratings beside what the model says. With
// the folder of MovieLens' "ml-latest-small" also: the films that are liked whatever their kind and those that are not,
// films like another one, films for a user, films for a new user out of four ratings, and a map of films.
//
//   lesson1_movies                            fetches the sample
//   lesson1_movies ratings.csv                the sample's file
//   lesson1_movies ratings.csv ml-latest-small
//
// Numbers to expect: a valid_loss of about 0.69 after ten epochs of the sample (0.63 to 0.70 with other splits), and of
// 0.72 to 0.73 after five of the larger set.
#include <kindling/collab.hpp>

#include <cstdio>
#include <iostream>

using namespace kindling;

namespace {

void print(const char* heading, const std::vector<ScoredItem>& items) {
  std::printf("\n%s\n", heading);
  for (const auto& [item, score] : items) std::printf("  %6.3f  %s\n", score, item.c_str());
}

void lesson(const fs::path& ratings) {
  auto dls = CollabDataLoaders::from_csv(ratings, {.seed = 42});
  std::cout << rating_counts(dls).to_string() << "\n" << dls.batch_table({.max_n = 5}) << "\n";
  auto learn = collab_learner(dls, {.y_range = {{0.5, 5.5}}});
  learn.fine_tune(10);
  std::cout << "\n" << results_table(learn) << "\n";
  learn.export_to("movies.safetensors");
}

void chapter8(const fs::path& folder) {
  auto dls = CollabDataLoaders::from_csv(folder / "ratings.csv", {.seed = 42, .titles = folder / "movies.csv"});
  std::cout << rating_counts(dls).to_string() << "\n";
  auto learn = collab_learner(dls, {.n_factors = 50, .y_range = {{0, 5.5}}});
  learn.fit_one_cycle(5, 5e-3, {.wd = 0.1});

  const Recommender films(learn);
  std::cout << "\nliked, and not liked, whatever their kind\n" << films.bias_table();
  print("like The Silence of the Lambs, by cosine",
        films.similar("Silence of the Lambs, The (1991)", {.n = 5, .min_ratings = 20}));
  print("for user 42", films.recommend("42", {.n = 5}));
  const FoldedUser me = films.fold_in(
      {{"Alien (1979)", 5}, {"Blade Runner (1982)", 5}, {"Matrix, The (1999)", 4.5}, {"Notting Hill (1999)", 2}});
  print("for someone new who likes Alien, Blade Runner and The Matrix, and not Notting Hill",
        films.recommend(me, {.n = 5}));
  films.map().save("movies_map.html");
  std::cout << "\nwrote movies_map.html\n";
}

}  // namespace

int main(int argc, char** argv) try {
  torch::manual_seed(42);
  lesson(argc > 1 ? fs::path(argv[1]) : untar_data(urls::ml_sample) / "ratings.csv");
  if (argc > 2) chapter8(argv[2]);
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
