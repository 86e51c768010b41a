#include <kindling/core/error.hpp>
#include <kindling/train/export.hpp>

#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/types.h>

namespace kindling {

namespace {

std::vector<double> values_of(const torch::Tensor& tensor) {
  const auto values = tensor.to(torch::kFloat64).contiguous();
  const auto* begin = values.const_data_ptr<double>();
  return {begin, begin + values.numel()};
}

void check_classes(const torch::Tensor& probs, const std::vector<std::string>& vocab) {
  if (probs.numel() == static_cast<std::int64_t>(vocab.size())) return;
  throw Error(ErrorCode::bad_model, "the model has another number of outputs than there are class names",
              {{"outputs", probs.numel()}, {"classes", vocab.size()}});
}

Prediction of_class(const Pipeline& pipeline, const LossFunction& loss_func, const torch::Tensor& probs) {
  const auto index = loss_func.decodes(probs).item<std::int64_t>();
  const auto vocab = pipeline.vocab();
  if (index < 0 || index >= static_cast<std::int64_t>(vocab.size())) {
    throw Error(ErrorCode::bad_model, "the model has more outputs than class names",
                {{"outputs", probs.numel()}, {"classes", vocab.size()}});
  }
  return {.label = vocab[index], .index = index, .probs = probs, .value = Category{vocab[index]}};
}

Prediction of_classes(const Pipeline& pipeline, const torch::Tensor& probs) {
  const auto vocab = pipeline.vocab();
  check_classes(probs, vocab);
  const auto values = values_of(probs);
  Categories labels;
  for (std::size_t c = 0; c < vocab.size(); ++c) {
    if (values[c] > 0.5) labels.names.push_back(vocab[c]);
  }
  return {.label = fmt::format("{}", fmt::join(labels.names, ";")),
          .index = probs.argmax().item<std::int64_t>(),
          .probs = probs,
          .value = labels};
}

Prediction of_numbers(const torch::Tensor& numbers) {
  const auto values = values_of(numbers);
  std::vector<std::string> texts;
  for (double value : values) texts.push_back(fmt::format("{:.6g}", value));
  Value value = Numbers{values};
  if (values.size() == 1) value = Number{values.front()};
  return {.label = fmt::format("{}", fmt::join(texts, ", ")),
          .index = 0,
          .probs = numbers,
          .value = std::move(value)};
}

/// How the item transforms map pixels of the photo to the model's [-1, 1]: out = m · (x, y) + t, each in
/// double.
struct Frame {
  double m[2][2] = {{1, 0}, {0, 1}};
  double t[2] = {0, 0};

  Point inverse(double u, double v) const {
    const double det = m[0][0] * m[1][1] - m[0][1] * m[1][0];
    const double du = u - t[0], dv = v - t[1];
    return {static_cast<float>((m[1][1] * du - m[0][1] * dv) / det),
            static_cast<float>((m[0][0] * dv - m[1][0] * du) / det)};
  }
};

/// Found by sending three corners of the photo the way that its pixels go. What is no such map, or turns the
/// photo to nothing, leaves the model's own numbers.
Frame frame_of(const Pipeline& pipeline, const Value& photo) {
  const auto* image = std::get_if<Image>(&photo);
  if (!image) return {};
  const auto width = static_cast<float>(image->width()), height = static_cast<float>(image->height());
  const Pipeline corners{.blocks = {pipeline.blocks.front(), {}},
                         .item_tfms = pipeline.item_tfms,
                         .n_inp = 1,
                         .target = TargetKind::points};
  const Values sent =
      corners.encode_item({photo, Points{{{0, 0}, {width, 0}, {0, height}}}}, {.split = Split::valid});
  const auto* scaled = std::get_if<TensorPoint>(&sent[1]);
  if (!scaled || scaled->tensor.numel() != 6) return {};
  const auto p = values_of(scaled->tensor);
  Frame frame{
      .m = {{(p[2] - p[0]) / width, (p[4] - p[0]) / height}, {(p[3] - p[1]) / width, (p[5] - p[1]) / height}},
      .t = {p[0], p[1]}};
  const double det = frame.m[0][0] * frame.m[1][1] - frame.m[0][1] * frame.m[1][0];
  return std::isfinite(1 / det) ? frame : Frame{};
}

Prediction of_points(const Pipeline& pipeline, const torch::Tensor& scaled, const Value& photo) {
  const auto values = values_of(scaled);
  const Frame frame = frame_of(pipeline, photo);
  Points points;
  std::vector<std::string> texts;
  auto pixels = torch::empty({static_cast<std::int64_t>(values.size() / 2), 2});
  auto* out = pixels.data_ptr<float>();
  for (std::size_t i = 0; i + 1 < values.size(); i += 2) {
    const Point p = frame.inverse(values[i], values[i + 1]);
    points.points.push_back(p);
    texts.push_back(fmt::format("({:.5g}, {:.5g})", p.x, p.y));
    *out++ = p.x;
    *out++ = p.y;
  }
  return {.label = fmt::format("{}", fmt::join(texts, ", ")), .index = 0, .probs = pixels, .value = points};
}

}  // namespace

Value opened_for_prediction(const Pipeline& pipeline, const Value& item) {
  if (pipeline.target != TargetKind::points) return item;
  Value opened = item;
  for (const Transform& t : pipeline.blocks.front()) opened = t.encode(opened, {.split = Split::valid});
  return opened;
}

Prediction to_prediction(const Pipeline& pipeline, const LossFunction& loss_func,
                         const torch::Tensor& activated, const Value& photo) {
  const auto said = activated.detach().to(torch::kCPU, torch::kFloat32).contiguous();
  switch (pipeline.target) {
    case TargetKind::category:
      return of_class(pipeline, loss_func, said);
    case TargetKind::categories:
      return of_classes(pipeline, said);
    case TargetKind::number:
      return of_numbers(said);
    case TargetKind::points:
      return of_points(pipeline, said, opened_for_prediction(pipeline, photo));
    default:
      break;
  }
  if (said.numel() == 1) return of_numbers(said);
  return {.label = describe(Value(said)), .index = 0, .probs = said, .value = said};
}

}  // namespace kindling
