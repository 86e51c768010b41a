#include <kindling/serve.hpp>

#include "serve/exported_model.hpp"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace kindling {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using testing::exported;
using testing::Exported;

namespace {

double distance(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace

TEST(Predictor, GivesTheLearnersAnswerThroughEveryDoor) {
  Exported& e = exported();
  const Predictor predictor(e.model);
  const Prediction from_path = predictor.predict(e.photo);
  const Prediction from_bytes = predictor.predict(read_file(e.photo));
  const Prediction from_image = predictor.predict(open_image(e.photo));
  EXPECT_THAT(predictor.vocab(), ElementsAre("blue", "red"));
  EXPECT_EQ(from_path.label, "red");
  EXPECT_EQ(from_path.index, 1);
  EXPECT_NEAR(from_path.probs.sum().item<double>(), 1, 1e-6);
  EXPECT_TRUE(torch::equal(from_path.probs, from_bytes.probs));
  EXPECT_TRUE(torch::equal(from_path.probs, from_image.probs));
  const Prediction learners = e.learn->predict(e.photo);
  EXPECT_LT(distance(from_path.probs, learners.probs), 1e-5);
  EXPECT_EQ(learners.label, "red");
}

TEST(Predictor, BatchGivesEachItemsAnswerInOrder) {
  Exported& e = exported();
  const Predictor predictor(e.model);
  Items items;
  for (const fs::path& p : get_image_files(e.folder.path())) items.push_back(p);
  const auto batch = predictor.predict_batch(items);
  ASSERT_EQ(batch.size(), items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    EXPECT_LT(distance(batch[i].probs, predictor.predict(std::get<fs::path>(items[i])).probs), 1e-5) << i;
  }
}

TEST(Predictor, AnswersSeveralThreadsAtOnce) {
  Exported& e = exported();
  const Predictor predictor(e.model);
  const Prediction alone = predictor.predict(e.photo);
  std::vector<double> distances(4, 1);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      double largest = 0;
      for (int i = 0; i < 20; ++i)
        largest = std::max(largest, distance(predictor.predict(e.photo).probs, alone.probs));
      distances[t] = largest;
    });
  }
  for (std::thread& t : threads) t.join();
  for (double d : distances) EXPECT_LT(d, 1e-6);
}

TEST(Predictor, FileThatIsNoPictureIsNamed) {
  Exported& e = exported();
  const fs::path text = e.folder / "note.txt";
  write_file(text, std::string_view("not a picture"));
  try {
    Predictor(e.model).predict(text);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_image);
    EXPECT_THAT(error.fact("path"), HasSubstr("note.txt"));
  }
  fs::remove(text);
}

TEST(ModelFile, LoadLearnerPredictsAsTheOneThatWroteIt) {
  Exported& e = exported();
  Learner loaded = load_learner(e.model);
  EXPECT_LT(distance(loaded.predict(e.photo).probs, e.learn->predict(e.photo).probs), 1e-6);
}

TEST(ModelFile, ManifestTellsArchitectureClassesAndTraining) {
  const Json manifest = read_manifest(exported().model);
  EXPECT_EQ(manifest.at("format_version"), 1);
  EXPECT_EQ(manifest.at("model").at("arch"), "tiny_test_net");
  EXPECT_EQ(manifest.at("vocab").dump(), R"(["blue","red"])");
  EXPECT_EQ(manifest.at("training").at("epochs"), 8);
  EXPECT_TRUE(manifest.at("training").contains("error_rate"));
}

TEST(ModelFile, VerifyItemsHoldPhotosWithTheirOutputs) {
  const ExportedModel model = read_exported(exported().model);
  ASSERT_EQ(model.verify_items.size(), 2u);
  const Predictor predictor(exported().model);
  for (const auto& item : model.verify_items) {
    EXPECT_LT(distance(predictor.predict(item.encoded).probs, item.output), 1e-5);
  }
}

TEST(ModelFile, ChangeOfAnyByteIsFound) {
  Exported& e = exported();
  const Bytes good = read_file(e.model);
  const fs::path copy = e.folder / "copy.safetensors";
  int refused = 0, tried = 0;
  for (std::size_t at = 0; at < good.size(); at += at < 4096 ? 11 : 997) {
    Bytes bad = good;
    bad[at] ^= 1;
    write_file(copy, bad);
    ++tried;
    try {
      read_exported(copy);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_model) << "byte " << at << ": " << error.what();
      EXPECT_THAT(error.what(), HasSubstr("copy.safetensors"));
      ++refused;
    }
  }
  EXPECT_EQ(refused, tried);
  fs::remove(copy);
}

TEST(ModelFile, FileCutShortAtAnyPlaceIsRefused) {
  Exported& e = exported();
  const Bytes good = read_file(e.model);
  const fs::path copy = e.folder / "copy.safetensors";
  for (std::size_t length :
       {std::size_t{0}, std::size_t{5}, std::size_t{8}, std::size_t{100}, good.size() / 2, good.size() - 1}) {
    write_file(copy, std::span(good).first(length));
    try {
      read_exported(copy);
      FAIL() << length;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_model) << length << ": " << error.what();
    }
  }
  fs::remove(copy);
}

TEST(ModelFile, WeightsWithoutAManifestAreNoModel) {
  Exported& e = exported();
  const fs::path plain = e.folder / "plain.safetensors";
  save_safetensors(plain, {{"w", torch::ones({2})}});
  try {
    read_exported(plain);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_model);
    EXPECT_THAT(error.what(), HasSubstr("holds weights, but no kindling model"));
  }
  fs::remove(plain);
}

TEST(ModelFile, MissingFileIsNotFound) {
  try {
    Predictor predictor("/no/such/model.safetensors");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_THAT(error.what(), HasSubstr("/no/such/model.safetensors"));
  }
}

TEST(VisionLearner, OneClassOnlyIsAClearError) {
  Exported& e = exported();
  auto dls = ImageDataLoaders::from_folder(e.folder / "red",
                                           {.valid_pct = 0.2, .seed = 1, .item_tfms = {Resize(16)}, .bs = 4});
  try {
    vision_learner(dls, "tiny_test_net", {.pretrained = false, .listener = silent_listener()});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_data);
    EXPECT_EQ(error.fact("class"), "red");
  }
}

TEST(VisionLearner, UnknownArchitectureTellsTheNearOne) {
  Exported& e = exported();
  try {
    vision_learner(e.learn->dls, "resnet-34", {.pretrained = false, .listener = silent_listener()});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'resnet34'"));
  }
}

TEST(VisionLearner, ShowBatchDecodesToTheLabels) {
  const Picture picture = exported().learn->dls.show_batch({.max_n = 4});
  EXPECT_GT(picture.image().width(), 2 * 224);
  EXPECT_EQ(picture.png()[1], 'P');
}

TEST(ImageDataLoaders, EveryFactoryLabelsAsTold) {
  Exported& e = exported();
  const Paths files = get_image_files(e.folder.path());
  const ImageDataLoadersOptions o{.seed = 3, .item_tfms = {Resize(16)}, .bs = 4};
  const auto even = [](const std::string& name) { return std::stoi(name) % 4 == 0 ? "fourth" : "other"; };
  EXPECT_THAT(ImageDataLoaders::from_name_func(e.folder.path(), files, even, o).vocab(),
              ElementsAre("fourth", "other"));
  EXPECT_THAT(ImageDataLoaders::from_path_func(e.folder.path(), files, parent_label, o).vocab(),
              ElementsAre("blue", "red"));
  EXPECT_THAT(ImageDataLoaders::from_path_re(e.folder.path(), files, "/([^/]+)/[^/]+$", o).vocab(),
              ElementsAre("blue", "red"));
  EXPECT_THAT(ImageDataLoaders::from_name_re(e.folder.path(), files, R"(\.(png)$)", o).vocab(),
              ElementsAre("png"));
  std::vector<std::string> labels(files.size(), "a");
  labels.front() = labels.back() = labels[5] = labels[6] = labels[9] = "b";
  EXPECT_THAT(ImageDataLoaders::from_lists(e.folder.path(), files, labels, o).vocab(), ElementsAre("a", "b"));
  labels.pop_back();
  EXPECT_THROW(ImageDataLoaders::from_lists(e.folder.path(), files, labels, o), Error);
}

TEST(ImageDataLoaders, FolderWithoutTheSplittingFoldersTellsWhatWasExpected) {
  try {
    ImageDataLoaders::from_folder(exported().folder.path());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.fact("expected"), "train/ and valid/");
    EXPECT_THAT(error.hint(), HasSubstr("valid_pct"));
  }
}

}  // namespace kindling
