#include <kindling/nn/weights.hpp>

#include "golden.hpp"
#include "ratings_fixture.hpp"

#include <gtest/gtest.h>
#include <torch/nn/functional/loss.h>

namespace kindling {

using testing::golden;

namespace {

fs::path file(const std::string& name) {
  return fs::path(KINDLING_SOURCE_DIR) / "tests/golden/collab" / name;
}

const Weights& tensors() {
  static const Weights weights = Weights::open(file("models.safetensors"));
  return weights;
}

Weights part(const std::string& prefix) {
  return tensors().renamed(
      [&](const std::string& name) { return name.starts_with(prefix) ? name.substr(prefix.size()) : ""; });
}

/// All of a loader in its data set's order.
Batch whole(const DataLoader& dl) {
  return dl.with({.bs = static_cast<int>(dl.n()), .num_workers = 0}).one_batch();
}

void expect_loaders(const DataLoaders& dls, const Json& want, const std::vector<std::string>& columns) {
  const TabularEncoder& encoder = tabular_encoder(dls.pipeline());
  EXPECT_EQ(encoder.cat_names(), columns);
  for (std::size_t c = 0; c < columns.size(); ++c) {
    std::vector<std::string> classes;
    for (const Json& name : want.at("classes").at(columns[c]))
      classes.push_back(name.is_string() ? name.get<std::string>() : name.dump());
    EXPECT_EQ(encoder.classes(columns[c]).items(), classes);
    EXPECT_EQ(get_emb_sz(encoder)[c].second, want.at("emb_szs")[c][1].get<std::int64_t>());
  }
  for (const int split : {0, 1}) {
    const Json& rows = want.at(split == 0 ? "train" : "valid");
    const Batch batch = whole(dls[split]);
    ASSERT_EQ(batch.size(), static_cast<std::int64_t>(rows.at("ys").size()));
    for (std::int64_t i = 0; i < batch.size(); ++i) {
      for (std::int64_t c = 0; c < 2; ++c) {
        EXPECT_EQ(batch.x[0][i][c].item<std::int64_t>(), rows.at("codes")[i][c].get<std::int64_t>())
            << split << " " << i << " " << c;
      }
      EXPECT_EQ(batch.y[0][i].item<float>(), rows.at("ys")[i].get<float>()) << split << " " << i;
    }
  }
}

/// Outputs, the gradients of the first step and the losses of ten, from fastai's weights, to 1e-5.
void expect_model(const Model& model, const std::string& name) {
  load_state_dict(model.module(), part(name + ".model."));
  const Model::Inputs x = {tensors().at("x"), torch::empty({64, 0})};
  const auto& y = tensors().at("y");
  model.module().eval();
  {
    torch::NoGradGuard no_grad;
    EXPECT_TRUE(torch::allclose(model.forward(x).flatten(), tensors().at(name + ".eval").flatten(), 1e-5, 1e-5));
  }
  model.module().train();
  std::vector<Param> params;
  for (const auto& p : model.module().parameters()) params.push_back({.tensor = p});
  const auto opt = Adam()({params});
  opt->set_hyper("lr", 5e-3);
  opt->set_hyper("wd", 0.1);
  for (std::int64_t step = 0; step < 10; ++step) {
    const auto loss = MSELossFlat()(model.forward(x), {y});
    EXPECT_NEAR(loss.item<double>(), tensors().at(name + ".losses")[step].item<double>(), 1e-5) << name << " " << step;
    loss.backward();
    if (step == 0) {
      for (const auto& p : model.module().named_parameters()) {
        const std::string key = name + ".grad." + p.key();
        if (!tensors().contains(key)) continue;
        EXPECT_TRUE(torch::allclose(p.value().grad(), tensors().at(key), 1e-4, 1e-6)) << key;
      }
    }
    opt->step();
    opt->zero_grad();
  }
}

}  // namespace

TEST(CollabGolden, RatingsAreSplitAndCodedAsByFastai) {
  expect_loaders(CollabDataLoaders::from_csv(file("ratings.csv"), {.seed = 42, .listener = silent_listener()}),
                 golden("collab/collab.json").at("ids"), {"userId", "movieId"});
}

TEST(CollabGolden, RatingsWithTitlesAreSplitAndCodedAsByFastai) {
  expect_loaders(CollabDataLoaders::from_csv(file("ratings.csv"),
                                             {.seed = 42, .titles = file("movies.csv"), .listener = silent_listener()}),
                 golden("collab/collab.json").at("titles"), {"userId", "title"});
}

TEST(CollabGolden, DotProductTrainsAsInFastai) {
  expect_model(create_dot_bias(5, 12, 17, {{0.5, 5.5}}), "dot");
}

TEST(CollabGolden, DotProductWithoutRangeTrainsAsInFastai) {
  expect_model(create_dot_bias(5, 12, 17), "dot_free");
}

TEST(CollabGolden, NetTrainsAsInFastai) {
  expect_model(create_embedding_nn({{12, 4}, {17, 6}}, {8}, {.y_range = {{0.5, 5.5}}}), "nn");
}

TEST(CollabGolden, FactorsStartAsInFastai) {
  torch::manual_seed(7);
  const EmbeddingDotBias model(5, 12, 17, {{0.5, 5.5}});
  for (const auto& p : model.named_parameters())
    EXPECT_TRUE(torch::equal(p.value(), tensors().at("dot.init." + p.key()))) << p.key();
}

TEST(CollabGolden, ComponentsAreThoseOfFastai) {
  std::vector<std::int64_t> users(20, 1);
  std::vector<std::string> films;
  for (int i = 0; i < 20; ++i) films.push_back(std::string("film ") + static_cast<char>('a' + i));
  const Table table({{"user", users}, {"film", films}, {"rating", std::vector<double>(20, 3.0)}});
  auto learn = collab_learner(CollabDataLoaders::from_df(table, {.valid_pct = 0, .listener = silent_listener()}),
                              {.n_factors = 6, .listener = silent_listener()});
  {
    torch::NoGradGuard no_grad;
    dynamic_cast<EmbeddingDotBias&>(learn.model.module()).i_weight->weight.slice(0, 1).copy_(tensors().at("factors"));
  }
  const auto got = Recommender(learn).components(films, 3), want = tensors().at("pca");
  for (std::int64_t k = 0; k < 3; ++k) {
    const auto sign = (got.select(1, k) * want.select(1, k)).sum().sign();
    EXPECT_TRUE(torch::allclose(got.select(1, k) * sign, want.select(1, k), 1e-4, 1e-4)) << k;
  }
}

}  // namespace kindling
