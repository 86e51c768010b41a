#include <kindling/data/block.hpp>
#include <kindling/data/points.hpp>
#include <kindling/data/regression.hpp>

namespace kindling {

Block CategoryBlock(CategorizeOptions options) {
  return {.type_tfms = {Categorize(std::move(options))}, .target = TargetKind::category};
}

Block MultiCategoryBlock(MultiCategoryBlockOptions options) {
  if (options.encoded) {
    return {.type_tfms = {EncodedMultiCategorize(std::move(options.vocab))}, .target = TargetKind::categories};
  }
  const int known = static_cast<int>(options.vocab.size());
  const OneHotEncode one_hot(known == 0 ? 0 : known + (options.add_na ? 1 : 0));
  return {.type_tfms = {MultiCategorize({.vocab = std::move(options.vocab), .add_na = options.add_na}), one_hot},
          .target = TargetKind::categories};
}

Block RegressionBlock(RegressionBlockOptions options) {
  return {.type_tfms = {RegressionSetup(options.n_out)}, .target = TargetKind::number};
}

Block PointBlock(PointBlockOptions options) {
  return {.type_tfms = {ToPoints(options.y_first)},
          .item_tfms = {FitsPicture(options.allow_outside), PointScaler{}},
          .target = TargetKind::points};
}

Block BBoxBlock() {
  return {.type_tfms = {ToBoxes{}}, .item_tfms = {FitsPicture{}, PointScaler{}}, .target = TargetKind::boxes};
}

Block BBoxLblBlock(BBoxLblBlockOptions options) {
  return {.type_tfms = {MultiCategorize({.vocab = std::move(options.vocab), .add_na = options.add_na})},
          .target = TargetKind::boxes};
}

}  // namespace kindling
