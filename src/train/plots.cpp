#include <kindling/train/plots.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace kindling {

Figure plot_lr_find(const LrFindResult& result, const PlotLrFindOptions& o) {
  const auto n = std::min(result.curve.lrs.size(), result.curve.losses.size());
  const auto kept = static_cast<std::ptrdiff_t>(n - std::min<std::size_t>(n, std::max(o.skip_end, 0)));
  std::vector<MarkedPoint> marks;
  for (const auto& [name, s] : result.suggestions) {
    if (!std::isnan(s.lr)) marks.push_back({s.at_lr, s.at_loss, fmt::format("{} {:.2g}", name, s.lr)});
  }
  return line_figure({{.x = {result.curve.lrs.begin(), result.curve.lrs.begin() + kept},
                       .y = {result.curve.losses.begin(), result.curve.losses.begin() + kept}}},
                     {.title = "learning rate finder",
                      .x = "learning rate",
                      .y = "loss",
                      .log_x = true,
                      .marks = std::move(marks)});
}

Figure plot_loss(const Recorder& recorder, const PlotLossOptions& o) {
  Series train{.name = "train"}, valid{.name = "valid"};
  for (std::size_t i = std::max(o.skip_start, 0); i < recorder.losses.size(); ++i) {
    train.x.push_back(static_cast<double>(i));
    train.y.push_back(recorder.losses[i]);
  }
  for (std::size_t i = 0; i < std::min(recorder.iters.size(), recorder.epochs.size()); ++i) {
    valid.x.push_back(static_cast<double>(recorder.iters[i]));
    valid.y.push_back(recorder.epochs[i].valid_loss);
  }
  std::vector<Series> all{std::move(train)};
  if (o.with_valid) all.push_back(std::move(valid));
  return line_figure(all, {.title = "learning curve", .x = "steps", .y = "loss", .log_y = o.log});
}

Figure plot_sched(const Recorder& recorder) {
  std::vector<Figure> figures{line_figure({{.y = recorder.lrs}}, {.x = "steps", .y = "lr", .width = 320})};
  if (!recorder.moms.empty())
    figures.push_back(line_figure({{.y = recorder.moms}}, {.x = "steps", .y = "mom", .width = 320}));
  return beside(figures);
}

}  // namespace kindling
