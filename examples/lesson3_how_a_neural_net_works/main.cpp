// Lesson 3, first part: how does a neural net really work?
//
// A quadratic is fitted to noisy points, first by hand with sliders, then by gradient descent; then sums of ReLUs
// show how a net bends itself into any curve. Prints the numbers of the course's notebook and writes one page with
// all of its pictures. The page's sliders move the curves, and the loss in the title follows.
//
//   lesson3_how_a_neural_net_works [PAGE]         PAGE is how_a_neural_net_works.html where not given
//
// Numbers to expect, all of them the course's: a mean absolute error of 2.4219 at a = b = c = 1.1; its gradients
// -1.3529, -0.0316 and -0.5000; a loss of 2.40 after one step, and of 2.40 2.36 2.30 2.21 2.11 1.98 1.85 1.72 1.58
// 1.46 in the ten steps after that.
#include <kindling/data.hpp>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <regex>

using namespace kindling;
using torch::Tensor;
using Function = std::function<Tensor(Tensor)>;

// ---- A function to find -------------------------------------------------------------------------------------

// Any quadratic is a x² + b x + c. With a, b and c chosen, it is one function of x.
Function mk_quad(Tensor a, Tensor b, Tensor c) {
  return [=](Tensor x) { return a * x.square() + b * x + c; };
}

Function mk_quad(double a, double b, double c) {
  return mk_quad(torch::tensor(a), torch::tensor(b), torch::tensor(c));
}

// Measurements are never exact. The noise is numpy's, so that the points are those of the notebook.
Tensor noise(const Tensor& x, double scale, NumpyRandom& random) {
  Tensor draws = torch::empty_like(x, torch::kFloat64);
  for (std::int64_t i = 0; i < x.numel(); ++i) draws[i] = random.normal(0, scale);
  return draws;
}

Tensor add_noise(const Tensor& x, double mult, double add, NumpyRandom& random) {
  const Tensor factor = 1 + noise(x, mult, random);
  return x * factor + noise(x, add, random);
}

// How far from the points is a curve? One number says it: the mean absolute error.
Tensor mae(const Tensor& preds, const Tensor& acts) {
  return (preds - acts).abs().mean();
}

// ---- Sliders ------------------------------------------------------------------------------------------------

// A parameter with a slider, from minus its value to three times its value, as the notebook's `interact` makes it.
Json slider(const std::string& name, double value) {
  const auto [low, high] = std::minmax({-value, 3 * value});
  return {{"name", name},
          {"value", value},
          {"bind", {{"input", "range"}, {"min", low}, {"max", high}, {"step", 0.1}}}};
}

// The curve of an expression of `datum.x` and the parameters, drawn by the page itself.
Figure curve(const std::vector<Json>& params, const std::string& expression, std::pair<double, double> ylim) {
  const Json y_scale = {{"domain", {ylim.first, ylim.second}}, {"nice", false}};
  return Figure({{"params", params},
                 {"width", 480},
                 {"height", 300},
                 {"data", {{"sequence", {{"start", -2.1}, {"stop", 2.11}, {"step", 0.03}, {"as", "x"}}}}},
                 {"transform", Json::array({{{"calculate", expression}, {"as", "y"}}})},
                 {"mark", {{"type", "line"}, {"clip", true}, {"color", "#d62728"}}},
                 {"encoding",
                  {{"x", {{"field", "x"}, {"type", "quantitative"}, {"title", nullptr}}},
                   {"y", {{"field", "y"}, {"type", "quantitative"}, {"title", nullptr}, {"scale", y_scale}}}}}});
}

// The same over the points. The error of the expression is an expression too: one term a point.
Figure curve_over_points(std::vector<Json> params, const std::string& expression, const Tensor& x, const Tensor& y,
                         std::pair<double, double> ylim) {
  const std::vector<double> xs = numbers_of(x), ys = numbers_of(y);
  std::string error = "0";
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const std::string there = std::regex_replace(expression, std::regex("datum.x"), "(" + std::to_string(xs[i]) + ")");
    error += " + abs(" + there + " - (" + std::to_string(ys[i]) + "))";
  }
  params.push_back({{"name", "mae"}, {"expr", "(" + error + ") / " + std::to_string(xs.size())}});
  const Figure points = scatter_figure({{.x = xs, .y = ys}}, {.y_range = ylim});
  Json spec = layered({points, curve(params, expression, ylim)}).spec();
  spec["title"] = {{"text", {{"expr", "'MAE: ' + format(mae, '.2f')"}}}};
  return Figure(std::move(spec));
}

// ---- The lesson ---------------------------------------------------------------------------------------------

// Steps downhill by hand. The gradient of a parameter says how the loss changes when the parameter grows a bit: so
// each is moved a bit the other way.
std::vector<double> descend(const Tensor& x, const Tensor& y) {
  Tensor abc = torch::tensor({1.1f, 1.1f, 1.1f}).requires_grad_();
  auto quad_mae = [&] { return mae(mk_quad(abc[0], abc[1], abc[2])(x), y); };
  auto step = [&] {
    torch::NoGradGuard no_grad;
    abc -= abc.grad() * 0.01;
  };

  Tensor loss = quad_mae();
  std::printf("MAE at a = b = c = 1.1: %.4f\n", loss.item<double>());
  loss.backward();
  std::printf("gradients: %.4f %.4f %.4f\n", abc.grad()[0].item<float>(), abc.grad()[1].item<float>(),
              abc.grad()[2].item<float>());
  step();
  std::printf("loss=%.2f\n", quad_mae().item<double>());

  // As in the notebook the gradients are never set back to zero: `backward` adds to what is there, so each step is
  // longer than the one before. (The next parts of the lesson set them back, as every optimizer does.)
  std::vector<double> losses;
  for (int i = 0; i < 10; ++i) {
    loss = quad_mae();
    loss.backward();
    step();
    losses.push_back(loss.item<double>());
    std::printf("step=%d; loss=%.2f\n", i, losses.back());
  }
  return losses;
}

// The simplest bend there is: a straight line with its negative part cut off. Sums of enough of them come as close as
// one likes to any curve, and that is all that a neural net is made of.
Tensor rectified_linear(double m, double b, const Tensor& x) {
  return (m * x + b).clamp_min(0);
}

int main(int argc, char** argv) try {
  const fs::path page = argc > 1 ? argv[1] : "how_a_neural_net_works.html";

  const Function f = mk_quad(3, 2, 1);
  NumpyRandom random(42);
  const Tensor x = torch::linspace(-2, 2, 20).unsqueeze(1);
  const Tensor y = add_noise(f(x), 0.15, 1.5, random);
  std::printf("the first points:");
  for (int i = 0; i < 5; ++i) std::printf(" (%.4f, %.4f)", x[i].item<float>(), y[i].item<double>());
  std::printf("\n");

  const std::vector<double> losses = descend(x, y);

  const std::vector<Json> abc = {slider("a", 1.1), slider("b", 1.1), slider("c", 1.1)};
  const std::vector<Json> one = {slider("m", 1.5), slider("b", 1.5)};
  const std::vector<Json> two = {slider("m1", -1.5), slider("b1", -1.5), slider("m2", 1.5), slider("b2", 1.5)};
  const std::vector<Json> three = {slider("m1", -4), slider("b1", -3), slider("m2", 4),
                                   slider("b2", 1),  slider("m3", 6),  slider("b3", -6)};
  const std::string relu2 = "max(0, m1 * datum.x + b1) + max(0, m2 * datum.x + b2)";
  const std::string relu3 = relu2 + " + max(0, m3 * datum.x + b3)";
  write_file(
      page,
      figure_page(
          "How does a neural net really work?",
          {{.heading = "A quadratic", .figure = plot_function(f, {.title = "3x² + 2x + 1"})},
           {.heading = "Noisy measurements of it",
            .figure = scatter_figure({{.x = numbers_of(x), .y = numbers_of(y)}})},
           {.heading = "Fit it by hand",
            .text = "Move a, b and c so that the mean absolute error becomes small. Go round more than once: each "
                    "slider's best place depends on the others.",
            .figure = curve_over_points(abc, "a * datum.x * datum.x + b * datum.x + c", x, y, {-3, 13})},
           {.heading = "Fit it by gradient descent",
            .text = "Ten steps against the gradients.",
            .figure = line_figure({{.y = losses}}, {.x = "step", .y = "MAE"})},
           {.heading = "A rectified linear unit",
            .text = "max(0, mx + b): a line with its negative part cut off.",
            .figure = layered({plot_function([](Tensor t) { return rectified_linear(1, 1, t); }, {.ylim = {{-1, 4}}}),
                               curve(one, "max(0, m * datum.x + b)", {-1, 4})},
                              "ReLU: m = b = 1, and yours")},
           {.heading = "The sum of two", .figure = curve(two, relu2, {-1, 6})},
           {.heading = "The sum of three, over the points",
            .text = "Six parameters can bend two lines into a valley. A net has thousands of them, and gradient "
                    "descent moves them all.",
            .figure = curve_over_points(three, relu3, x, y, {-3, 18})}}));
  std::cout << "wrote " << page.string() << "\n";
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n";
  return exit_code(e.code());
}
