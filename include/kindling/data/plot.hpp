#pragma once
/// Tensors and functions of tensors as figures.
///
///   plot_function([](torch::Tensor x) { return 3 * x * x + 2 * x + 1; }, {.title = "a quadratic"}).save("f.html");
///   scatter_figure({{.x = numbers_of(x), .y = numbers_of(y)}}).save("data.html");

#include <kindling/core/figure.hpp>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

namespace kindling {

/// All numbers of a tensor in row order.
std::vector<double> numbers_of(const torch::Tensor& tensor);

/// The course's arguments and defaults.
struct PlotFunctionOptions {
  std::string title = "";
  double min = -2.1;
  double max = 2.1;
  std::optional<std::pair<double, double>> ylim = std::nullopt;
  std::string x = "";  ///< titles of the axes
  std::string y = "";
  int points = 100;
};

/// The curve of `f`, which is called once with a column of `points` numbers from min to max (points x 1,
/// float32) and returns as many. Throws `usage` for fewer than two points or another number of results.
Figure plot_function(const std::function<torch::Tensor(torch::Tensor)>& f, const PlotFunctionOptions& options = {});

}  // namespace kindling
