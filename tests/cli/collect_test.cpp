#include "cli/program.hpp"
#include "core/archive_writer.hpp"
#include "core/csv.hpp"
#include "core/loopback_server.hpp"
#include "core/temporary_folder.hpp"
#include "vision/provider_samples.hpp"

#include <csignal>
#include <set>

#include <gmock/gmock.h>

namespace kindling::test {

using kindling::testing::LoopbackServer;
using kindling::testing::Reply;
using kindling::testing::Request;
using kindling::testing::ScopedVariable;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Openverse and the places that its results lie in, all on this machine.
class Collect : public Program {
 protected:
  Collect() {
    online_ = true;
    for (const auto& entry : fs::directory_iterator(repository() / "examples/data/pets_mini/cat"))
      photos_.push_back(read_text(entry.path()));
  }

  /// 20 results a term: 16 photos, one of them twice, a page of HTML, one that is missing, and one that redirects to
  /// a private address.
  Reply answer(const Request& request) {
    if (request.path.starts_with("/v1/images/")) {
      std::vector<std::string> urls;
      const std::string term = kindling::testing::parameter(request.path, "q");
      for (int i = 0; i < 20; ++i) urls.push_back(server_.url("/" + term + "/" + std::to_string(i)));
      return {.body = kindling::testing::openverse_answer(urls, 1, 20)};
    }
    const int number = std::stoi(request.path.substr(request.path.rfind('/') + 1));
    if (delay_.count() > 0) std::this_thread::sleep_for(delay_);
    if (number == 16) return {.body = photos_[0]};
    if (number == 17) return {.body = "<html>sorry</html>", .headers = {{"Content-Type", "image/jpeg"}}};
    if (number == 18) return {.status = 404};
    if (number == 19) return {.status = 302, .headers = {{"Location", "gopher://10.0.0.1/x"}}};
    return {.body = photos_[static_cast<std::size_t>(number)]};
  }

  std::vector<std::string> command(std::vector<std::string> more) const {
    std::vector<std::string> args = {"collect", "--address", server_.url("/v1/images/"), "--allow-private", "-o",
                                     "bears",   "--n",       "20",                       "--retries",       "0"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }

  /// How often each status stands in the CSV; every file that is "ok" is there, and no other file.
  std::map<std::string, int> check_csv() const {
    const auto records = detail::parse_csv(read_text(in("bears/sources.csv")), "sources.csv");
    std::map<std::string, int> counts;
    std::set<std::string> named;
    for (std::size_t i = 1; i < records.size(); ++i) {
      const auto& fields = records[i].fields;
      ++counts[fields.at(8)];
      if (fields.at(8) != "ok") continue;
      EXPECT_TRUE(named.insert(fields.at(0)).second);
      EXPECT_TRUE(fs::exists(in("bears") / fields.at(0))) << fields.at(0);
      EXPECT_EQ(sha256_of(in("bears") / fields.at(0)), fields.at(7));
      EXPECT_FALSE(fields.at(5).empty());
    }
    std::set<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(in("bears"))) {
      if (entry.is_regular_file() && entry.path().filename() != "sources.csv")
        files.insert(entry.path().lexically_relative(in("bears")).string());
    }
    EXPECT_EQ(files, named);
    return counts;
  }

  ScopedVariable no_proxy_{"no_proxy", "127.0.0.1"};
  std::vector<std::string> photos_;
  std::chrono::milliseconds delay_{0};
  LoopbackServer server_{[this](const Request& request, int) { return answer(request); }};
};

TEST_F(Collect, FillsAFolderATermAndTellsWhatBecameOfEach) {
  const Result r = run(command({"grizzly bear"}));
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.out, HasSubstr("folder        found  photos  duplicates  unreadable  refused  failed\n"
                               "grizzly bear     20      16           1           1        1       1\n"));
  EXPECT_THAT(r.out, HasSubstr("sources  bears/sources.csv"));
  EXPECT_THAT(r.out, HasSubstr("next     kindling look bears\n"));
  EXPECT_EQ(std::distance(fs::directory_iterator(in("bears/grizzly bear")), fs::directory_iterator()), 16);
  EXPECT_EQ(check_csv(), (std::map<std::string, int>{
                             {"ok", 16}, {"duplicate", 1}, {"unreadable", 1}, {"refused", 1}, {"failed", 1}}));
}

TEST_F(Collect, SecondRunFetchesOnlyWhatFailed) {
  run(command({"grizzly bear"}));
  const auto before = server_.requests().size();
  const Result r = run(command({"grizzly bear", "--json"}));
  EXPECT_EQ(r.code, 0) << r.err;
  // The search, the missing one and the refused one.
  EXPECT_EQ(server_.requests().size() - before, 3u);
  const auto last = r.lines().back();
  EXPECT_EQ(last["event"], "done");
  EXPECT_EQ(last["ok"], 16);
  EXPECT_EQ(last["sources"], "bears/sources.csv");
  EXPECT_EQ(r.lines().front()["event"], "photo");
  EXPECT_EQ(r.lines().front()["folder"], "grizzly bear");
}

TEST_F(Collect, InterruptedItEndsWith130AndTheNextRunCompletesIt) {
  delay_ = std::chrono::milliseconds(150);
  const pid_t child = start(command({"grizzly bear", "--parallel", "2"}));
  for (int i = 0; i < 500 && server_.requests().size() < 8; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ::kill(child, SIGINT);
  const Result r = finish(child);
  EXPECT_EQ(r.code, 130);
  EXPECT_THAT(r.out, HasSubstr("the same command goes on from here"));
  const auto so_far = check_csv();
  EXPECT_GE(so_far.at("ok"), 3);
  EXPECT_LT(so_far.at("ok"), 16);
  delay_ = std::chrono::milliseconds(0);
  const auto before = server_.requests().size();
  EXPECT_EQ(run(command({"grizzly bear"})).code, 0);
  EXPECT_EQ(server_.requests().size() - before, 21u - static_cast<std::size_t>(so_far.at("ok")));
  EXPECT_EQ(check_csv().at("ok"), 16);
}

TEST_F(Collect, KilledItLosesNothingThatTheNextRunDoesNotMend) {
  delay_ = std::chrono::milliseconds(100);
  const pid_t child = start(command({"grizzly bear", "--parallel", "4"}));
  for (int i = 0; i < 500 && server_.requests().size() < 12; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ::kill(child, SIGKILL);
  finish(child);
  delay_ = std::chrono::milliseconds(0);
  EXPECT_EQ(run(command({"grizzly bear"})).code, 0);
  EXPECT_EQ(check_csv().at("ok"), 16);
}

TEST_F(Collect, FoldersHaveNamesOfTheirOwnAndLeadNowhereElse) {
  const Result r = run(command({"teddy=teddy bear", "../../evil"}));
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_TRUE(fs::is_directory(in("bears/teddy")));
  // The same photos under another term: each is kept once.
  EXPECT_THAT(r.out, HasSubstr("_.._evil     20       0"));
  EXPECT_FALSE(fs::exists(in("../evil")));
  EXPECT_THAT(r.out, HasSubstr("total"));
  EXPECT_EQ(check_csv().at("ok"), 16);
}

TEST_F(Collect, TakesAListOfAddresses) {
  std::string list = "# mine\n";
  for (int i = 0; i < 3; ++i) list += server_.url("/x/" + std::to_string(i)) + "\n";
  write_file(in("list.txt"), list);
  const Result r = run({"collect", "mine", "--provider", "list:list.txt", "--allow-private", "--max-size", "64"});
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(std::distance(fs::directory_iterator(in("photos/mine")), fs::directory_iterator()), 3);
  const Result guarded = run({"collect", "other", "--provider", "list:list.txt", "-o", "guarded"});
  EXPECT_EQ(guarded.code, 1);
  EXPECT_THAT(guarded.err, HasSubstr("no photos were collected"));
  EXPECT_THAT(guarded.err, HasSubstr("private network"));
  EXPECT_FALSE(fs::exists(in("guarded/other")));
}

TEST_F(Collect, WrongUseAndNoNetworkAreSaid) {
  EXPECT_EQ(run({"collect"}).code, 2);
  EXPECT_EQ(run({"collect", "x", "--n", "0"}).code, 2);
  EXPECT_EQ(run({"collect", "x="}).code, 2);
  EXPECT_EQ(run({"collect", "a/b", "a:b"}).code, 2);
  const Result provider = run({"collect", "x", "--provider", "wikimedai"});
  EXPECT_EQ(provider.code, 2);
  EXPECT_THAT(provider.err, HasSubstr("did you mean 'wikimedia'?"));
  online_ = false;
  const Result offline = run({"collect", "x"});
  EXPECT_EQ(offline.code, 1);
  EXPECT_THAT(offline.err, HasSubstr("KINDLING_OFFLINE forbids it"));
  EXPECT_FALSE(fs::exists(in("photos")));
}

TEST_F(Collect, DataSetsAreListedAndFetchedByName) {
  const Result list = run({"data", "list", "--json"});
  EXPECT_EQ(list.code, 0);
  EXPECT_EQ(list.lines().front()["name"], "pets");
  EXPECT_EQ(list.lines().front()["here"], false);
  kindling::testing::write_archive(in("bears.tgz"), {{"b/grizzly/1.jpg", photos_[0]}, {"b/black/2.jpg", photos_[1]}});
  const Result got = run({"data", "get", "file://" + in("bears.tgz").string(), "-o", "sets"});
  EXPECT_EQ(got.code, 0) << got.err;
  EXPECT_EQ(got.out, "sets/bears\n");
  EXPECT_TRUE(fs::exists(in("sets/bears/grizzly/1.jpg")));
  const Result unknown = run({"data", "get", "pest"});
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("there is no data set 'pest' (did you mean 'pets'?)"));
  online_ = false;
  EXPECT_THAT(run({"data", "get", "pets"}).err, HasSubstr("KINDLING_OFFLINE forbids it"));
}

}  // namespace kindling::test
