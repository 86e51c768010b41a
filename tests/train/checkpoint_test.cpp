#include <kindling/core/error.hpp>
#include <kindling/core/interrupt.hpp>
#include <kindling/train/callbacks.hpp>
#include <kindling/train/checkpoint.hpp>

#include "core/temporary_folder.hpp"
#include "train/tiny_learner.hpp"

#include <chrono>
#include <fstream>
#include <functional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {

using ::testing::HasSubstr;
using namespace testing;

namespace {

/// Makes a learner with the callbacks of a training, new ones each time.
using MakeLearner = std::function<Learner()>;
using Train = std::function<void(Learner&)>;

void fine_tune(Learner& learn) {
  learn.fine_tune(2, {.base_lr = 0.02});
}

std::vector<fs::path> written(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename() != "best.safetensors") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

CheckpointOptions every_batch(const fs::path& folder) {
  return {.folder = folder, .every_minutes = 0, .keep = 1000};
}

/// Writes checkpoints at every batch, waiting for each, so that none is left out.
void train_writing(Learner& learn, const fs::path& folder, const Train& train) {
  auto checkpoints = std::make_shared<Checkpoints>(every_batch(folder));
  struct Wait {
    int order = Checkpoints::order + 1;
    std::shared_ptr<Checkpoints> checkpoints;
    void after_batch(Learner&) const { checkpoints->wait(); }
  };
  learn.add_cbs({Callback(checkpoints), Wait{.checkpoints = checkpoints}});
  train(learn);
}

void expect_equal(const Learner& ours, const Learner& unbroken, const std::string& where) {
  const auto a = state_dict(ours.model.module()), b = state_dict(unbroken.model.module());
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(torch::equal(a[i].second, b[i].second)) << where << a[i].first;
  const auto p = ours.opt->state(), q = unbroken.opt->state();
  ASSERT_EQ(p.size(), q.size()) << where;
  for (std::size_t i = 0; i < p.size(); ++i) EXPECT_TRUE(torch::equal(p[i].second, q[i].second)) << where << p[i].first;
  EXPECT_EQ(ours.recorder().losses, unbroken.recorder().losses) << where;
  EXPECT_EQ(ours.recorder().lrs, unbroken.recorder().lrs) << where;
  EXPECT_EQ(ours.recorder().moms, unbroken.recorder().moms) << where;
  EXPECT_EQ(ours.recorder().iters, unbroken.recorder().iters) << where;
  EXPECT_EQ(ours.recorder().values(), unbroken.recorder().values()) << where;
  ASSERT_EQ(ours.recorder().history.size(), unbroken.recorder().history.size()) << where;
  for (std::size_t i = 0; i < ours.recorder().history.size(); ++i) {
    EXPECT_EQ(ours.recorder().history[i].valid_loss, unbroken.recorder().history[i].valid_loss) << where;
    EXPECT_EQ(ours.recorder().history[i].metrics, unbroken.recorder().history[i].metrics) << where;
  }
}

/// Trains once unbroken; then goes on from each checkpoint of that in a learner of its own, as a new process would.
void expect_every_resume_equals_the_unbroken(const MakeLearner& make, const Train& train, std::size_t at_least) {
  const TemporaryFolder folder;
  Learner unbroken = make();
  train(unbroken);
  Learner writing = make();
  train_writing(writing, folder.path(), train);
  expect_equal(writing, unbroken, "writing checkpoints changes what is learnt: ");
  const auto files = written(folder.path());
  ASSERT_GE(files.size(), at_least);
  for (const fs::path& file : files) {
    const TemporaryFolder elsewhere;
    Learner learn = make();
    learn.add_cb(std::make_shared<Checkpoints>(every_batch(elsewhere.path())));
    torch::manual_seed(99);  // whatever the new process drew before
    learn.resume(read_training_state(file));
    train(learn);
    expect_equal(learn, unbroken, file.filename().string() + ": ");
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace

TEST(Resume, FromEveryBatchEpochAndFitOfFineTuneEqualsTheUnbrokenTraining) {
  // 3 epochs of 5 batches, their ends, and those of two fits.
  expect_every_resume_equals_the_unbroken([] { return tiny_learner(); }, fine_tune, 20);
}

TEST(Resume, KeepsWhatCallbacksRemember) {
  const auto make = [] {
    return tiny_learner({GradientAccumulation{.n_acc = 8}, MixUp(), ModelAverage({.decay = 0.9}),
                         ReduceLROnPlateau({.tracker = {.reset_on_fit = false}, .patience = 1}),
                         GradientClip{.max_norm = 0.1}});
  };
  expect_every_resume_equals_the_unbroken(make, [](Learner& learn) { learn.fit(3, 0.05); }, 15);
}

TEST(Resume, OfAFitThatStopsEarlyStopsAtTheSameEpoch) {
  const auto make = [] { return tiny_learner({EarlyStoppingCallback({.patience = 1})}); };
  // So large a rate does not improve for long.
  expect_every_resume_equals_the_unbroken(make, [](Learner& learn) { learn.fit(12, 2.0); }, 6);
}

TEST(Resume, GoesOnAfterCtrlCAtTheVeryBatch) {
  const TemporaryFolder folder;
  Learner unbroken = tiny_learner();
  fine_tune(unbroken);
  struct PressCtrlC {
    int at = 7, seen = 0;
    void after_step(Learner&) {
      if (++seen == at) request_interrupt();
    }
  };
  Learner stopped =
      tiny_learner({std::make_shared<Checkpoints>(CheckpointOptions{.folder = folder.path()}), PressCtrlC{}});
  fine_tune(stopped);
  clear_interrupt();
  ASSERT_TRUE(stopped.interrupted);
  auto found = last_checkpoint(folder.path());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->state.position.steps, 7);
  EXPECT_EQ(found->state.position.fit, 1);
  EXPECT_EQ(found->state.position.batch, 2);
  Learner learn = tiny_learner({std::make_shared<Checkpoints>(CheckpointOptions{.folder = folder.path()})});
  learn.resume(std::move(found->state));
  fine_tune(learn);
  expect_equal(learn, unbroken, "");
}

TEST(Resume, OfATrainingOnAnotherDeviceGoesOnAndSaysSo) {
  const TemporaryFolder folder;
  Learner first = tiny_learner();
  train_writing(first, folder.path(), fine_tune);
  auto state = read_training_state(written(folder.path()).front());
  state.tensors.emplace_back("rng.cuda", torch::zeros({16}, torch::kUInt8));
  auto heard = std::make_shared<Heard>();
  LearnerOptions options = quietly({std::make_shared<Checkpoints>(every_batch(folder.path()))});
  options.listener = heard;
  Learner learn(class_loaders(class_pairs(22, 1), class_pairs(7, 2)), tiny_net(), std::move(options));
  learn.resume(std::move(state));
  fine_tune(learn);
  EXPECT_EQ(learn.recorder().losses.size(), first.recorder().losses.size());
  EXPECT_EQ(std::count_if(heard->texts.begin(), heard->texts.end(),
                          [](const std::string& t) { return t.find("written on a CUDA device: on cpu") != t.npos; }),
            1);
}

TEST(Resume, WithAnotherTrainingIsAClearError) {
  const TemporaryFolder folder;
  Learner first = tiny_learner();
  train_writing(first, folder.path(), fine_tune);
  const auto error_of = [&](Learner learn, const Train& train) -> std::string {
    learn.resume(last_checkpoint(folder.path())->state);
    try {
      train(learn);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  const auto own = [&] { return tiny_learner({std::make_shared<Checkpoints>(every_batch(folder.path()))}); };
  EXPECT_THAT(error_of(own(), [](Learner& l) { l.fine_tune(5, {.base_lr = 0.02}); }),
              HasSubstr("another number of epochs (expected: 2, got: 5)"));
  EXPECT_THAT(error_of(tiny_learner(), fine_tune),
              HasSubstr("begun with a callback that this one lacks (callback: Checkpoints)"));
}

TEST(Checkpoints, KeepTheLastTwoAndTheBest) {
  const TemporaryFolder folder;
  auto checkpoints = std::make_shared<Checkpoints>(CheckpointOptions{.folder = folder.path()});
  Learner learn = tiny_learner({Callback(checkpoints)});
  learn.fit(5, 0.05);
  EXPECT_EQ(checkpoints->stats().written, 6);  // five epochs, and the end of the fit
  EXPECT_THAT(written(folder.path()),
              ::testing::ElementsAre(folder / "000005.safetensors", folder / "000006.safetensors"));
  const auto& history = learn.recorder().history;
  const auto best = std::min_element(history.begin(), history.end(),
                                     [](const auto& a, const auto& b) { return a.valid_loss < b.valid_loss; });
  const TrainingState state = read_training_state(checkpoints->best_path());
  EXPECT_EQ(state.position.epoch, best->epoch + 1);
  load_weights(learn, state);
  EXPECT_EQ(learn.validate()[0], best->valid_loss);
}

TEST(Checkpoints, ACutOrAlteredOneIsNamedAndTheOneBeforeIsUsed) {
  const TemporaryFolder folder;
  Learner learn = tiny_learner({std::make_shared<Checkpoints>(CheckpointOptions{.folder = folder.path()})});
  learn.fit(3, 0.05);
  const auto files = written(folder.path());
  ASSERT_EQ(files.size(), 2u);
  Bytes bytes = read_file(files[1]);
  bytes[bytes.size() / 2] ^= 1;
  write_file(files[1], std::span<const std::uint8_t>(bytes));
  auto found = last_checkpoint(folder.path());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path, files[0]);
  EXPECT_EQ(found->state.position.epoch, 3);
  ASSERT_EQ(found->damaged.size(), 1u);
  EXPECT_THAT(found->damaged[0].what(),
              HasSubstr("the checkpoint is damaged: the file's bytes are not those that were written"));
  EXPECT_EQ(found->damaged[0].fact("path"), files[1].string());

  fs::resize_file(files[0], fs::file_size(files[0]) / 3);
  fs::resize_file(folder.path() / "best.safetensors", 40);
  try {
    last_checkpoint(folder.path());
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_model);
    EXPECT_THAT(e.what(), HasSubstr("no checkpoint of this run can be used"));
    EXPECT_THAT(e.hint(), HasSubstr("--like RUN"));
  }
  EXPECT_FALSE(last_checkpoint(folder.path() / "nothing"));
}

TEST(Checkpoints, AFailedWriteIsThrownAndOlderFilesStay) {
  const TemporaryFolder folder;
  struct TakeFolderAway {
    int order = 40;
    fs::path folder;
    void after_epoch(Learner& learn) const {
      if (learn.epoch != 1) return;
      // The first epoch's checkpoint is written beside the training: it is to be whole before its folder goes.
      for (int waits = 0; waits < 2000 && !has_first(); ++waits) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      fs::rename(folder, folder.string() + ".away");
    }
    bool has_first() const {
      const auto found = last_checkpoint(folder);
      return found && found->state.position.epoch == 1;
    }
  };
  Learner learn = tiny_learner({std::make_shared<Checkpoints>(CheckpointOptions{.folder = folder / "c"}),
                                TakeFolderAway{.folder = folder / "c"}});
  try {
    learn.fit(4, 0.05);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("its folder does not exist"));
  }
  const auto kept = last_checkpoint(folder / "c.away");
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->state.position.epoch, 1);
}

TEST(Checkpoints, OneOfFormatVersionOneCanBeGoneOnFrom) {
  const auto state = read_training_state(fs::path(KINDLING_SOURCE_DIR) / "tests/compat/checkpoint_v1.safetensors");
  EXPECT_EQ(state.position.fit, 1);
  EXPECT_EQ(state.position.epoch, 1);
  EXPECT_EQ(state.position.batch, 3);
  Learner learn = tiny_learner({std::make_shared<Checkpoints>(CheckpointOptions{
      .folder = fs::path(::testing::TempDir()) / "kindling_compat_checkpoints"})});
  learn.resume(state);
  fine_tune(learn);
  EXPECT_EQ(learn.recorder().history.size(), 3u);
  EXPECT_EQ(learn.recorder().losses.size(), 10u);
  fs::remove_all(fs::path(::testing::TempDir()) / "kindling_compat_checkpoints");
}

TEST(Checkpoints, AModelFileIsNoCheckpoint) {
  try {
    read_training_state(fs::path(KINDLING_SOURCE_DIR) / "tests/compat/model_v1.safetensors");
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::bad_model);
    EXPECT_THAT(e.what(), HasSubstr("this file is no checkpoint"));
  }
}

TEST(SaveAndLoad, BringBackWeightsAndOptimizer) {
  const TemporaryFolder folder;
  LearnerOptions options = quietly();
  options.path = folder.path();
  Learner learn(class_loaders(class_pairs(22, 1), class_pairs(7, 2)), tiny_net(), options);
  learn.fit(1, 0.05);
  const fs::path saved = learn.save("first");
  EXPECT_EQ(saved, folder.path() / "models/first.safetensors");
  Learner other(class_loaders(class_pairs(22, 1), class_pairs(7, 2)), tiny_net(), options);
  other.load("first");
  const auto a = other.opt->state(), b = learn.opt->state();
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(torch::equal(a[i].second, b[i].second));
  EXPECT_EQ(other.validate(), learn.validate());

  auto heard = std::make_shared<Heard>();
  options.listener = heard;
  Learner third(class_loaders(class_pairs(22, 1), class_pairs(7, 2)), tiny_net(), options);
  third.load(learn.save("weights", {.with_opt = false}));
  EXPECT_EQ(third.validate(), learn.validate());
  EXPECT_THAT(heard->texts, ::testing::ElementsAre("the file holds no optimizer state: the optimizer stays as it is"));
}

}  // namespace kindling
