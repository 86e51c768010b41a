#include <kindling/core/error.hpp>
#include <kindling/data/plot.hpp>

#include <torch/types.h>

namespace kindling {

std::vector<double> numbers_of(const torch::Tensor& tensor) {
  const auto flat = tensor.detach().to(torch::kCPU, torch::kFloat64).flatten().contiguous();
  const double* first = flat.data_ptr<double>();
  return {first, first + flat.numel()};
}

Figure plot_function(const std::function<torch::Tensor(torch::Tensor)>& f, const PlotFunctionOptions& options) {
  if (options.points < 2 || !(options.min < options.max)) {
    throw Error(ErrorCode::usage, "a function is plotted at two points or more, from min to a larger max",
                {{"points", options.points},
                 {"min", std::to_string(options.min)},
                 {"max", std::to_string(options.max)}});
  }
  const auto x = torch::linspace(options.min, options.max, options.points).unsqueeze(1);
  const auto y = f(x);
  if (y.numel() != x.numel()) {
    throw Error(ErrorCode::usage, "the function that is plotted does not give one number for each",
                {{"given", x.numel()}, {"got", y.numel()}});
  }
  return line_figure({{.x = numbers_of(x), .y = numbers_of(y)}},
                     {.title = options.title, .x = options.x, .y = options.y, .y_range = options.ylim});
}

}  // namespace kindling
