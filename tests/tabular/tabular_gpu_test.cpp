// Tables on a CUDA device.
#include <kindling/serve/predictor.hpp>
#include <kindling/tabular.hpp>

#include "core/temporary_folder.hpp"
#include "on_gpu.hpp"
#include "tabular/rings.hpp"

#include <gtest/gtest.h>

namespace kindling {

using testing::rings;
using testing::TemporaryFolder;

namespace {

using TabularGpu = testing::OnGpu;

DataLoaders loaders(TabularProcs procs) {
  return TabularDataLoaders::from_df(rings(2000), {.procs = std::move(procs),
                                                   .cat_names = {"c"},
                                                   .cont_names = std::vector<std::string>{"a", "b"},
                                                   .y_names = {"ring"},
                                                   .seed = 1,
                                                   .bs = 128,
                                                   .device = torch::kCUDA});
}

/// The export, read on the CPU, says what the learner says on its device.
void expect_same_on_the_cpu(Learner& learn) {
  const TemporaryFolder folder;
  learn.export_to(folder / "rings.safetensors");
  const Table fresh = rings(40);
  const auto want = learn.get_preds({.dl = test_dl(learn.dls, fresh)}).preds.cpu();
  const Predictor predictor(folder / "rings.safetensors");
  EXPECT_LT((predictor.outputs(rows_of(fresh)) - want).abs().max().item<double>(), 1e-3);
}

}  // namespace

TEST_F(TabularGpu, FastaisNetLearnsAndItsExportSaysTheSame) {
  torch::manual_seed(1);
  auto learn = tabular_learner(loaders({Categorify(), FillMissing(), Normalize()}),
                               {.metrics = {accuracy}, .listener = silent_listener()});
  learn.fit_one_cycle(6, 1e-2);
  EXPECT_GT(learn.validate().back(), 0.8);
  const auto importance = permutation_importance(learn, learn.dls.valid());
  EXPECT_EQ(importance.back().column, "c");
  EXPECT_TRUE(partial_dependence(learn, learn.dls.valid(), "a").spec().contains("data"));
  expect_same_on_the_cpu(learn);
}

TEST_F(TabularGpu, TabMLearnsAndItsExportSaysTheSame) {
  torch::manual_seed(1);
  auto learn = tabm_learner(loaders(tabm_procs()), {.config = {.k = 8, .width = 32},
                                                    .metrics = {accuracy},
                                                    .lr = 1e-2,
                                                    .listener = silent_listener()});
  fit_tabm(learn, 6);
  EXPECT_GT(learn.validate().back(), 0.9);
  expect_same_on_the_cpu(learn);
}

}  // namespace kindling
