#include "program.hpp"

#include <algorithm>

#include <gmock/gmock.h>

namespace kindling::test {

using ::testing::HasSubstr;
using ::testing::Not;

namespace {

/// 60 users in two camps: each has rated 12 of 24 films, those of its own camp high.
std::string made_up_ratings() {
  std::string text = "userId,movieId,rating,timestamp\n";
  for (int user = 1; user <= 60; ++user) {
    for (int k = 0; k < 12; ++k) {
      const int film = (user * 5 + k * 7) % 24;
      const bool own = film % 2 == user % 2;
      text += fmt::format("{},{},{},{}\n", user, 100 + film, own ? (k % 3 == 0 ? 4.5 : 5) : (k % 3 == 0 ? 1.5 : 1), 1000 + k);
    }
  }
  return text;
}

std::string titles() {
  std::string text = "movieId,title,genres\n";
  for (int film = 0; film < 24; ++film) text += fmt::format("{},\"{} film {}\",x\n", 100 + film, film % 2 ? "odd" : "even", film);
  return text;
}

}  // namespace

class RatingTask : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    write_file(in("ratings.csv"), made_up_ratings());
    write_file(in("movies.csv"), titles());
  }
  Result train(std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"train", "ratings.csv", "--titles", "movies.csv", "-o", "run"};
    args.insert(args.end(), more.begin(), more.end());
    return run(args);
  }
};

TEST_F(RatingTask, IsFoundByTheColumnsAndSaid) {
  const Result r = train({"--epochs", "8"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.out, HasSubstr("ratings.csv: 720 ratings, 576 train, 144 valid"));
  EXPECT_THAT(r.out, HasSubstr("user     userId"));
  EXPECT_THAT(r.out, HasSubstr("mean: rmse"));
  EXPECT_THAT(r.out, HasSubstr("popularity"));
  EXPECT_THAT(r.out, HasSubstr("kindling recommend"));
  const Json record = parse_json(read_text(in("run/run.json")), "run.json");
  EXPECT_EQ(record.at("task"), "ratings");
  EXPECT_EQ(record.at("status"), "done");
  // Two camps are what factors are for: the mean is wrong by 1.8.
  EXPECT_LT(record.at("metrics").at("valid_loss").get<double>(), 1.0);
}

TEST_F(RatingTask, TheModelFileGivesTheValidationFiguresAgain) {
  ASSERT_EQ(train({"--epochs", "8"}).code, 0);
  const auto table = run({"predict", "run", "ratings.csv"});
  EXPECT_EQ(table.code, 3);
  EXPECT_THAT(table.err, HasSubstr("title"));
  write_file(in("new.csv"), "userId,title\n2,even film 4\n2,odd film 5\nnobody,no film\n");
  const Result r = run({"predict", "run", "new.csv"});
  ASSERT_EQ(r.code, 0) << r.err;
  std::vector<double> said;
  std::istringstream lines(r.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "rating");
  while (std::getline(lines, line)) said.push_back(std::stod(line));
  ASSERT_EQ(said.size(), 3u);
  EXPECT_GT(said[0], said[1]);
}

TEST_F(RatingTask, RecommendsWhatWasNotRated) {
  ASSERT_EQ(train({"--epochs", "8"}).code, 0);
  const auto lines = run({"recommend", "run", "--user", "2", "-n", "5", "--json"}).lines();
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_THAT(lines[0].at("item").get<std::string>(), HasSubstr("even film"));
  const auto fresh = run({"recommend", "run", "--rate", "odd film 3=5", "--rate", "odd film 5=5", "--rate", "even film 2=1", "-n", "3",
                          "--json"}).lines();
  ASSERT_EQ(fresh.size(), 3u);
  EXPECT_THAT(fresh[0].at("item").get<std::string>(), HasSubstr("odd film"));
  const Result similar = run({"recommend", "run", "--similar", "odd film 3", "-n", "3"});
  EXPECT_EQ(similar.code, 0) << similar.err;
  const Result unknown = run({"recommend", "run", "--similar", "odd film 33"});
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("odd film 3"));
  EXPECT_EQ(run({"recommend", "run"}).code, 2);
}

TEST_F(RatingTask, RanksWithEase) {
  const Result r = train({"--arch", "ease"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.out, HasSubstr("EASE"));
  const auto lines = run({"recommend", "run", "--rate", "odd film 3", "--rate", "odd film 5=5", "-n", "3", "--json"}).lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(run({"interpret", "run"}).code, 1);
}

TEST_F(RatingTask, LooksAndInterprets) {
  const Result look = run({"look", "ratings.csv", "--titles", "movies.csv"});
  ASSERT_EQ(look.code, 0) << look.err;
  EXPECT_THAT(look.out, HasSubstr("60 users, 24 items"));
  ASSERT_EQ(train({"--epochs", "2"}).code, 0);
  const Result r = run({"interpret", "run"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(read_text(in("run/report.html")), HasSubstr("The map of items"));
}

TEST_F(RatingTask, GoesOnAfterItWasStopped) {
  ASSERT_EQ(train({"--epochs", "4"}).code, 0);
  const Result stopped = run({"train", "ratings.csv", "--titles", "movies.csv", "-o", "short", "--epochs", "4", "--max-minutes",
                              "0.0000001"});
  ASSERT_EQ(stopped.code, 0) << stopped.err;
  const Result again = run({"train", "--resume", "short"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("going on from"));
  EXPECT_EQ(read_file(in("run/model.safetensors")).size(), read_file(in("short/model.safetensors")).size());
  const auto loss = [&](const char* run) {
    return parse_json(read_text(in(std::string(run) + "/run.json")), run).at("metrics").at("valid_loss").get<double>();
  };
  EXPECT_EQ(loss("run"), loss("short"));
}

TEST_F(RatingTask, TheRunIsNamedAfterTheFile) {
  ASSERT_EQ(run({"train", "ratings.csv", "--arch", "ease"}).code, 0);
  EXPECT_EQ(run({"recommend", "runs/ratings-1", "--user", "2"}).code, 0);
}

TEST_F(RatingTask, NamesWhatIsMissing) {
  write_file(in("log.csv"), "who,what,n\na,b,1\n");
  const Result r = run({"train", "log.csv", "--task", "ratings"});
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, HasSubstr("which column is the user?"));
  const Result range = train({"--y-range", "2,4"});
  EXPECT_EQ(range.code, 3);
  EXPECT_THAT(range.err, HasSubstr("y_range"));
}

}  // namespace kindling::test
