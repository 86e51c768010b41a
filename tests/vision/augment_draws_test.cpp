// Ten thousand draws of every random parameter beside its law.
#include <kindling/vision/aug_transforms.hpp>
#include <kindling/vision/auto_augment.hpp>
#include <kindling/vision/crop.hpp>
#include <kindling/vision/erasing.hpp>
#include <kindling/vision/flip.hpp>
#include <kindling/vision/resize.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <gtest/gtest.h>

namespace kindling {

namespace {

constexpr std::int64_t count = 10000;
const ItemContext training{.split = Split::train, .seed = 17, .transform = 1 << 16};

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation_of(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double v : values) sum += (v - mean) * (v - mean);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

/// Within five standard errors; those of the standard deviation of a uniform law are smaller than the mean's.
void expect_uniform(const std::vector<double>& values, double low, double high) {
  ASSERT_GT(values.size(), 1000u);
  const double sd = (high - low) / std::sqrt(12), error = sd / std::sqrt(static_cast<double>(values.size()));
  EXPECT_NEAR(mean_of(values), (low + high) / 2, 5 * error);
  EXPECT_NEAR(deviation_of(values), sd, 5 * error);
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  EXPECT_GE(*least, low);
  EXPECT_LE(*most, high);
  EXPECT_LT(*least, low + 0.01 * (high - low));
  EXPECT_GT(*most, high - 0.01 * (high - low));
}

void expect_probability(std::int64_t happened, std::int64_t of, double p) {
  EXPECT_NEAR(static_cast<double>(happened) / static_cast<double>(of), p,
              5 * std::sqrt(p * (1 - p) / static_cast<double>(of)));
}

/// Values that are not neutral, after a check of how many there are.
std::vector<double> acting(const std::vector<double>& values, double neutral, double p) {
  std::vector<double> kept;
  std::copy_if(values.begin(), values.end(), std::back_inserter(kept), [&](double v) { return v != neutral; });
  expect_probability(static_cast<std::int64_t>(kept.size()), static_cast<std::int64_t>(values.size()), p);
  return kept;
}

std::vector<double> logs(std::vector<double> values) {
  for (double& v : values) v = std::log(v);
  return values;
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double mean_a = mean_of(a), mean_b = mean_of(b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean_a) * (b[i] - mean_b);
  return sum / static_cast<double>(a.size()) / deviation_of(a) / deviation_of(b);
}

}  // namespace

TEST(AugmentDraws, MovementsFollowTheirLaws) {
  const AffineCoordTfm tfm({FlipOptions{.p = 0.3}, DihedralOptions{.p = 0.6}, RotateOptions{.max_deg = 20, .p = 0.75},
                            ZoomOptions{.min_zoom = 0.8, .max_zoom = 1.5, .p = 0.4},
                            WarpOptions{.magnitude = 0.25, .p = 0.7}});
  const AffineDraws draws = tfm.draw(count, training);
  acting(draws[0].value, 0, 0.3);
  // Of the eight one is neutral itself.
  acting(draws[1].value, 0, 0.6 * 7 / 8);
  expect_uniform(acting(draws[2].value, 0, 0.75), -20, 20);
  expect_uniform(acting(draws[3].value, 1, 0.4), 0.8, 1.5);
  expect_uniform(draws[3].x, 0, 1);
  expect_uniform(draws[3].y, 0, 1);
  expect_uniform(acting(draws[4].x, 0, 0.7), -0.25, 0.25);
  expect_uniform(acting(draws[4].y, 0, 0.7), -0.25, 0.25);
  // Independent of each other.
  EXPECT_LT(std::abs(correlation(draws[2].value, draws[3].x)), 0.05);
  EXPECT_LT(std::abs(correlation(draws[3].x, draws[3].y)), 0.05);
  EXPECT_LT(std::abs(correlation(draws[4].x, draws[4].y)), 0.05);
}

TEST(AugmentDraws, LightFollowsItsLaws) {
  const LightingTfm tfm({BrightnessOptions{.max_lighting = 0.3, .p = 0.75}, ContrastOptions{.max_lighting = 0.2, .p = 0.5},
                         SaturationOptions{.max_lighting = 0.4, .p = 0.9}});
  const LightingDraws draws = tfm.draw(count, training);
  expect_uniform(acting(draws[0], 0.5, 0.75), 0.35, 0.65);
  expect_uniform(logs(acting(draws[1], 1, 0.5)), std::log(0.8), -std::log(0.8));
  expect_uniform(logs(acting(draws[2], 1, 0.9)), std::log(0.6), -std::log(0.6));
  expect_uniform(logs(acting(Hue({.max_hue = 0.1, .p = 0.75}).draw(count, training), 0, 0.75)), std::log(0.9),
                 -std::log(0.9));
}

TEST(AugmentDraws, OneDrawForABatchIsTheSameForAllAndChangesWithTheBatch) {
  const Rotate tfm({.max_deg = 10, .p = 0.75, .batch = true});
  std::vector<double> each;
  for (std::int64_t b = 0; b < 4000; ++b) {
    ItemContext context = training;
    context.item = b;
    const auto values = tfm.draw(3, context)[0].value;
    EXPECT_EQ(values[0], values[2]);
    each.push_back(values[0]);
  }
  expect_uniform(acting(each, 0, 0.75), -10, 10);
}

TEST(AugmentDraws, ImagesBatchesEpochsSeedsAndPlacesGiveOtherDraws) {
  const Rotate tfm({.p = 1});
  const auto first = tfm.draw(2, training)[0].value;
  EXPECT_EQ(tfm.draw(2, training)[0].value, first);
  EXPECT_NE(first[0], first[1]);
  for (int change = 0; change < 4; ++change) {
    ItemContext other = training;
    if (change == 0) ++other.item;
    if (change == 1) ++other.epoch;
    if (change == 2) ++other.seed;
    if (change == 3) ++other.transform;
    EXPECT_NE(tfm.draw(2, other)[0].value[0], first[0]) << change;
  }
}

TEST(AugmentDraws, CropsFollowTheirLaws) {
  std::vector<double> areas, aspects, lefts, tops, px;
  std::int64_t flips = 0;
  std::map<int, std::int64_t> turns;
  for (std::int64_t item = 0; item < count; ++item) {
    ItemContext context{.split = Split::train, .seed = 5, .item = item, .transform = 1};
    // A square so large that every crop fits and rounding does not show.
    const Cut cut = RandomResizedCrop(224, {.min_scale = 0.1, .max_scale = 0.5}).train_cut({40000, 40000}, context);
    areas.push_back(static_cast<double>(cut.size.width) * cut.size.height / 1.6e9);
    aspects.push_back(std::log(static_cast<double>(cut.size.width) / cut.size.height));
    lefts.push_back(static_cast<double>(cut.left) / (40000 - cut.size.width));
    tops.push_back(static_cast<double>(cut.top) / (40000 - cut.size.height));
    px.push_back(RandomCrop(100).cut({10100, 500}, context).left / 10000.0);
    flips += FlipItem(0.3).draw(context);
    ++turns[DihedralItem().draw(context)];
  }
  expect_uniform(areas, 0.1 - 1e-4, 0.5 + 1e-4);
  expect_uniform(aspects, std::log(0.75) - 1e-4, -std::log(0.75) + 1e-4);
  expect_uniform(lefts, 0, 1);
  expect_uniform(tops, 0, 1);
  expect_uniform(px, 0, 1);
  expect_probability(flips, count, 0.3);
  EXPECT_EQ(turns.size(), 8u);
  for (const auto& [k, n] : turns) expect_probability(n, count, 1.0 / 8);
}

TEST(AugmentDraws, ErasedRectanglesFollowTheirLaws) {
  CounterRng rng(3);
  const CropDraws draws{.uniform = [&](double a, double b) { return rng.uniform(a, b); },
                        .integer = [&](std::int64_t a, std::int64_t b) { return rng.integer(a, b); }};
  const RandomErasing erasing({.sl = 0.02, .sh = 0.1, .min_aspect = 0.5, .max_count = 3});
  std::vector<double> areas, aspects;
  std::map<std::size_t, std::int64_t> counts;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto boxes = erasing.draw({20000, 20000}, draws);
    ++counts[boxes.size()];
    const double height = boxes[0].bottom - boxes[0].top, width = boxes[0].right - boxes[0].left;
    areas.push_back(height * width * static_cast<double>(boxes.size()) / 4e8);
    aspects.push_back(std::log(height / width));
  }
  expect_uniform(areas, 0.02 - 1e-4, 0.1 + 1e-4);
  expect_uniform(aspects, std::log(0.5) - 1e-3, std::log(2) + 1e-3);
  EXPECT_EQ(counts.size(), 3u);
  for (const auto& [n, times] : counts) expect_probability(times, count, 1.0 / 3);
}

TEST(AugmentDraws, AutoAugmentTakesEveryOperationAndSignAlike) {
  std::map<AutoAugmentOp, std::int64_t> ops;
  std::int64_t shears = 0, to_the_left = 0;
  std::vector<double> strengths;
  const TrivialAugmentWide wide;
  const RandAugment rand({.num_ops = 3});
  const auto shear = wide.magnitudes(AutoAugmentOp::shear_x);
  for (std::int64_t item = 0; item < count; ++item) {
    const ItemContext context{.split = Split::train, .seed = 5, .item = item, .transform = 1};
    const AutoAugmentDraw draw = wide.draw(context);
    ++ops[draw.op];
    if (draw.op == AutoAugmentOp::shear_x && draw.magnitude != 0) {
      ++shears;
      to_the_left += draw.magnitude < 0;
      strengths.push_back(std::abs(draw.magnitude));
    }
    if (item < 200) {
      for (const AutoAugmentDraw& d : rand.draw({50, 40}, context)) {
        const auto values = rand.magnitudes(d.op, {50, 40});
        EXPECT_EQ(std::abs(d.magnitude), values.empty() ? 0 : values[9]);
      }
    }
  }
  EXPECT_EQ(ops.size(), 14u);
  for (const auto& [op, n] : ops) expect_probability(n, count, 1.0 / 14);
  expect_probability(to_the_left, shears, 0.5);
  EXPECT_NEAR(mean_of(strengths), 0.99 * 31 / 60, 0.06);
}

}  // namespace kindling
