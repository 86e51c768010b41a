#include <kindling/core/error.hpp>
#include <kindling/core/figure.hpp>

#include <algorithm>
#include <cmath>

namespace kindling {
namespace {

Json table_rows(const std::vector<std::string>& rows, const std::vector<std::string>& columns,
                const std::vector<std::vector<double>>& values) {
  if (values.size() != rows.size()) {
    throw Error(ErrorCode::usage, "a heatmap needs a row of values for each name",
                {{"names", rows.size()}, {"rows", values.size()}});
  }
  Json cells = Json::array();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (values[r].size() != columns.size()) {
      throw Error(ErrorCode::usage, "a heatmap needs a value for each column in each row",
                  {{"row", rows[r]}, {"columns", columns.size()}, {"values", values[r].size()}});
    }
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const Json value = std::isfinite(values[r][c]) ? Json(values[r][c]) : Json(nullptr);
      cells.push_back({{"row", rows[r]}, {"column", columns[c]}, {"value", value}});
    }
  }
  return cells;
}

double largest(const std::vector<std::vector<double>>& values) {
  double most = 0;
  for (const auto& row : values)
    for (const double v : row)
      if (std::isfinite(v)) most = std::max(most, v);
  return most;
}

Json side(const char* field, const std::vector<std::string>& names, const std::string& title) {
  return {{"field", field},
          {"type", "nominal"},
          {"sort", names},
          {"title", title.empty() ? Json(nullptr) : Json(title)},
          {"scale", {{"paddingInner", 0.02}}}};
}

}  // namespace

Figure heatmap_figure(const std::vector<std::string>& rows, const std::vector<std::string>& columns,
                      const std::vector<std::vector<double>>& values, const FigureOptions& options,
                      const std::string& format) {
  const double most = largest(values);
  const Json colour = {{"field", "value"},
                       {"type", "quantitative"},
                       {"legend", nullptr},
                       {"scale", {{"scheme", "blues"}, {"domain", {0, most > 0 ? most : 1}}}}};
  const Json cell = {{"mark", {{"type", "rect"}, {"tooltip", true}}}, {"encoding", {{"color", colour}}}};
  // White on the dark half of the colours, as fastai's confusion matrix; the theme has no say in a cell.
  const Json ink = {{"condition", {{"test", "datum.value > " + Json(most / 2).dump()}, {"value", "white"}}},
                    {"value", "black"}};
  const Json number = {
      {"mark", {{"type", "text"}}},
      {"encoding",
       {{"text", {{"field", "value"}, {"type", "quantitative"}, {"format", format}}}, {"color", ink}}}};
  Json spec = Json::object();
  if (!options.title.empty()) spec["title"] = options.title;
  spec["width"] = options.width;
  spec["height"] = options.height;
  spec["data"] = {{"values", table_rows(rows, columns, values)}};
  spec["encoding"] = {{"x", side("column", columns, options.x)}, {"y", side("row", rows, options.y)}};
  spec["layer"] = {cell, number};
  return Figure(std::move(spec));
}

}  // namespace kindling
