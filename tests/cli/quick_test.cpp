#include "cli/program.hpp"

#include <cstring>

#include <gmock/gmock.h>

namespace kindling::test {

using ::testing::HasSubstr;
using ::testing::StartsWith;

namespace {

/// The body's weights of a model file as a weights file of their own.
void save_body(const fs::path& model, const fs::path& to) {
  const std::string file = read_text(model);
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  const Json header = parse_json(file.substr(sizeof length, length), "header");
  const std::string_view data = std::string_view(file).substr(sizeof length + length);
  constexpr std::string_view prefix = "model.body.";
  Json kept = Json::object();
  std::string bytes;
  for (const auto& [name, tensor] : header.items()) {
    if (!name.starts_with(prefix)) continue;
    const auto begin = tensor["data_offsets"][0].get<std::size_t>(), end = tensor["data_offsets"][1].get<std::size_t>();
    Json entry = tensor;
    entry["data_offsets"] = {bytes.size(), bytes.size() + end - begin};
    kept[name.substr(prefix.size())] = std::move(entry);
    bytes += data.substr(begin, end - begin);
  }
  const std::string text = kept.dump();
  length = text.size();
  write_file(to, std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + bytes);
}

}  // namespace

/// Photos, and weights of a small model: what it learns from them is no matter here.
class Quick : public Program {
 protected:
  void SetUp() override {
    make_photos("photos", 30);
    const Result made = run(quick({"--quiet", "-o", "first", "--lr", "1e-6"}));
    ASSERT_EQ(made.code, 0) << made.err;
    save_body(in("first/model.safetensors"), in("body.safetensors"));
    const Result added = run({"weights", "add", "body.safetensors", "--name", "mine", "--arch", "squeezenet1_1"});
    ASSERT_EQ(added.code, 0) << added.err;
  }
  Result train(std::vector<std::string> more) const {
    std::vector<std::string> args = {"train", "photos", "--arch", "squeezenet1_1", "--weights", "mine", "--size", "64",
                                     "--bs", "4"};
    args.insert(args.end(), more.begin(), more.end());
    return run(args);
  }
  Json record(const std::string& run) const { return parse_json(read_text(in(run) / "run.json"), "run.json"); }
  std::size_t rows(const std::string& run) const {
    const std::string text = read_text(in(run) / "history.csv");
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) - 1;
  }
};

TEST_F(Quick, AloneIsOneRowAndAModelThatPredicts) {
  const Result r = train({"--quick", "--json", "-o", "run"});
  ASSERT_EQ(r.code, 0) << r.err << r.out;
  Json quick_fit;
  for (const Json& e : r.lines()) {
    if (e["event"] == "quick_fit") quick_fit = e;
  }
  EXPECT_EQ(quick_fit["items"], 48);
  EXPECT_EQ(quick_fit["views"], 1) << "training photos are cut at random";
  EXPECT_GT(quick_fit["temperature"].get<double>(), 0);
  EXPECT_EQ(r.lines().back()["event"], "done");
  EXPECT_TRUE(r.lines().back()["metrics"].contains("train_loss"));
  EXPECT_EQ(rows("run"), 1u);
  EXPECT_EQ(record("run")["settings"]["quick"], true);
  EXPECT_EQ(record("run")["settings"]["epochs"], 0);
  EXPECT_EQ(run({"predict", "run", "photos/cat", "--quiet"}).code, 0);
  const Result again = run({"train", "--resume", "run", "--json"});
  EXPECT_EQ(again.code, 0);
  EXPECT_EQ(again.lines().back()["event"], "done");
  EXPECT_EQ(run({"train", "--resume", "run", "--quick"}).code, 2) << "a run keeps its settings";
}

TEST_F(Quick, IsFollowedByTheEpochsThatAreAskedFor) {
  const Result alone = train({"--quick", "-o", "run"});
  ASSERT_EQ(alone.code, 0) << alone.err;
  EXPECT_THAT(alone.out, HasSubstr("kindling train --like run --epochs 3"));
  const Result like = run({"train", "--like", "run", "--epochs", "1", "-o", "longer"});
  ASSERT_EQ(like.code, 0) << like.err;
  EXPECT_EQ(rows("longer"), 2u);
  EXPECT_EQ(record("longer")["settings"]["quick"], true);
  EXPECT_EQ(like.out.find("--like longer"), std::string::npos);
  const std::string first = read_text(in("run/history.csv"));
  const auto numbers = first.substr(0, first.rfind(','));
  EXPECT_THAT(read_text(in("longer/history.csv")), StartsWith(numbers)) << "it begins with the same quick fit";
}

TEST_F(Quick, NeedsPretrainedWeights) {
  const Result r = run(quick({"--quick"}));
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, HasSubstr("--quick and --no-pretrained exclude each other"));
}

}  // namespace kindling::test
