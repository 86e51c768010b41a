// Ratings on a CUDA device.
#include <kindling/collab.hpp>

#include "core/temporary_folder.hpp"
#include "on_gpu.hpp"
#include "ratings_fixture.hpp"

#include <gtest/gtest.h>

namespace kindling {

using CollabGpu = testing::OnGpu;

TEST_F(CollabGpu, LearnsTheTastesAndRecommends) {
  torch::manual_seed(1);
  const auto dls = CollabDataLoaders::from_df(testing::two_tastes(),
                                              {.seed = 42, .device = torch::kCUDA, .listener = silent_listener()});
  Learner learn = collab_learner(dls, {.n_factors = 5, .y_range = {{0.5, 5.5}}, .listener = silent_listener()});
  learn.fit_one_cycle(20, 5e-2);
  EXPECT_LT(learn.validate().front(), 0.2);
  const testing::TemporaryFolder folder;
  learn.export_to(folder / "films.safetensors");
  const Recommender here(folder / "films.safetensors"), there(learn);
  const auto a = here.recommend("3"), b = there.recommend("3");
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i].score, b[i].score, 1e-4);
}

}  // namespace kindling
