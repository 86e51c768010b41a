// A value kind of your own: curves, read from files of numbers, shown, learnt, exported and loaded again.
//
//   own_kind FOLDER     writes curves/, curves.png and curves.safetensors there, and ends with "1.txt is
//   rising"
#include <kindling/nn.hpp>
#include <kindling/train.hpp>

#include <cmath>
#include <iostream>
#include <iterator>
#include <sstream>

#include <torch/nn/modules/linear.h>

using namespace kindling;

struct Curve {
  std::vector<float> y;
};

struct ReadCurve {  // a file of numbers to a Curve
  static constexpr const char* name = "ReadCurve";
  UserValue encodes(const fs::path& file) const {
    std::istringstream text(read_text(file));
    return {Curve{{std::istream_iterator<float>(text), {}}}};
  }
};

struct CurveToTensor {  // a Curve to what a model takes, and back for showing
  static constexpr const char* name = "CurveToTensor";
  static constexpr int order = 5;
  torch::Tensor encodes(const UserValue& v) const {
    return torch::tensor(std::any_cast<const Curve&>(v.value).y);
  }
  UserValue decodes(const torch::Tensor& t) const {
    return {Curve{{t.const_data_ptr<float>(), t.const_data_ptr<float>() + t.numel()}}};
  }
};

void show_curve(const Curve& curve, GridCell& cell) {
  cell.image = Image({128, 64}, 1);
  std::fill_n(cell.image.data(), cell.image.bytes(), std::uint8_t{255});
  for (float y : curve.y) cell.points.push_back({4.f * cell.points.size() + 2, 32 - 20 * y});
}

int main(int, char** argv) {
  const fs::path folder = argv[1], curves = folder / "curves", model = folder / "curves.safetensors";
  for (int n = 0; n < 200; ++n) {
    std::string text;
    for (int i = 0; i < 32; ++i)
      text += std::to_string((n % 2 ? 1 : -1) * (i / 16. - 1) + 0.4 * std::sin(i * n)) + " ";
    fs::create_directories(curves / (n % 2 ? "rising" : "falling"));
    write_file(curves / (n % 2 ? "rising" : "falling") / (std::to_string(n) + ".txt"), text);
  }
  register_transform(ReadCurve::name, [](const Json&) { return Transform(ReadCurve{}); });
  register_transform(CurveToTensor::name, [](const Json&) { return Transform(CurveToTensor{}); });
  register_model_kind("curve", [](const Json&) { return Model(torch::nn::Linear(32, 2)); });
  register_show<Curve>(show_curve);
  const Block curve_block{.type_tfms = {ReadCurve{}, CurveToTensor{}}};
  auto dls = DataBlock({.blocks = {curve_block, CategoryBlock()},
                        .splitter = RandomSplitter(0.2, 42),
                        .get_y = parent_label})
                 .dataloaders(to_items(get_files(curves)), {.bs = 16});
  dls.show_batch().save(folder / "curves.png");
  Learner learn(dls, torch::nn::Linear(32, 2), {.metrics = {accuracy}});
  learn.model.spec = {{"kind", "curve"}};
  learn.fit(5, 1e-2);
  learn.export_to(model, {.verify_items = 0});
  std::cout << "1.txt is " << load_learner(model).predict(curves / "rising" / "1.txt").label << "\n";
}
