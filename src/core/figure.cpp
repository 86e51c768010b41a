#include <kindling/core/error.hpp>
#include <kindling/core/figure.hpp>

#include <cmath>

#include <fmt/format.h>

namespace kindling {
namespace {

constexpr const char* vega_lite_schema = "https://vega.github.io/schema/vega-lite/v6.json";

Json axis(const std::string& title, bool logarithmic, const std::optional<std::pair<double, double>>& range) {
  Json channel = {{"type", "quantitative"}, {"title", title.empty() ? Json(nullptr) : Json(title)}};
  Json& scale = channel["scale"] = {{"zero", false}};
  if (logarithmic) scale = {{"type", "log"}};
  // What reaches beyond a range that was asked for is cut off at the frame, as one expects of a plot.
  if (range) {
    scale["domain"] = {range->first, range->second};
    scale["nice"] = false;
  }
  if (logarithmic) channel["axis"] = {{"format", "~e"}, {"tickCount", 6}};
  return channel;
}

Json frame(const FigureOptions& options) {
  Json spec = {{"$schema", vega_lite_schema}};
  if (!options.title.empty()) spec["title"] = options.title;
  spec["width"] = options.width;
  spec["height"] = options.height;
  return spec;
}

Json encoding_of(const FigureOptions& options) {
  Json x = axis(options.x, options.log_x, options.x_range);
  Json y = axis(options.y, options.log_y, options.y_range);
  x["field"] = "x";
  y["field"] = "y";
  return {{"x", std::move(x)}, {"y", std::move(y)}};
}

/// The colours of a legend, in the order in which the names were given.
Json colour_of(const std::string& field, const std::vector<std::string>& names) {
  return {{"field", field},
          {"type", "nominal"},
          {"title", nullptr},
          {"scale", {{"domain", names}}},
          {"sort", nullptr}};
}

bool can_be_shown(double x, double y, const FigureOptions& options) {
  return std::isfinite(x) && !(options.log_x && x <= 0) && !(options.log_y && y <= 0);
}

/// One row a point; numbers that JSON does not know become null, which Vega-Lite draws as a gap.
Json rows_of(const std::vector<Series>& series, const FigureOptions& options) {
  Json rows = Json::array();
  for (const Series& s : series) {
    if (!s.x.empty() && s.x.size() != s.y.size()) {
      throw Error(ErrorCode::usage, "a series needs as many x as y",
                  {{"series", s.name}, {"x", s.x.size()}, {"y", s.y.size()}});
    }
    for (std::size_t i = 0; i < s.y.size(); ++i) {
      const double x = s.x.empty() ? static_cast<double>(i) : s.x[i];
      if (!can_be_shown(x, s.y[i], options)) continue;
      Json row = {{"x", x}, {"y", std::isfinite(s.y[i]) ? Json(s.y[i]) : Json(nullptr)}};
      if (!s.name.empty()) row["series"] = s.name;
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

Json marks_layer(const FigureOptions& options, const std::vector<std::string>& legend) {
  Json rows = Json::array();
  for (const MarkedPoint& m : options.marks) {
    if (can_be_shown(m.x, m.y, options)) rows.push_back({{"x", m.x}, {"y", m.y}, {"label", m.label}});
  }
  Json encoding = encoding_of(options);
  encoding["color"] = colour_of("label", legend);
  return {{"data", {{"values", std::move(rows)}}},
          {"mark", {{"type", "point"}, {"filled", true}, {"size", 90}, {"opacity", 1}, {"tooltip", true}}},
          {"encoding", std::move(encoding)}};
}

Figure xy_figure(const std::vector<Series>& series, const FigureOptions& options, Json mark) {
  std::vector<std::string> legend;
  for (const Series& s : series) {
    if (!s.name.empty()) legend.push_back(s.name);
  }
  const bool named = !legend.empty();
  for (const MarkedPoint& m : options.marks) legend.push_back(m.label);
  Json curves = {{"data", {{"values", rows_of(series, options)}}},
                 {"mark", std::move(mark)},
                 {"encoding", encoding_of(options)}};
  curves["mark"]["clip"] = true;
  if (named) curves["encoding"]["color"] = colour_of("series", legend);
  Json spec = frame(options);
  spec["layer"] = Json::array({std::move(curves)});
  if (!options.marks.empty()) spec["layer"].push_back(marks_layer(options, legend));
  return Figure(std::move(spec));
}

/// Takes out of a figure what must stand at the top of one that holds it: variable parameters (selections
/// stay).
Json without_top(Json spec, Json& params) {
  spec.erase("$schema");
  for (const char* key : {"config", "autosize", "background", "padding", "usermeta"}) spec.erase(key);
  if (!spec.contains("params")) return spec;
  Json kept = Json::array();
  for (Json& param : spec["params"]) {
    if (param.contains("select")) {
      kept.push_back(std::move(param));
      continue;
    }
    bool known = false;
    for (const Json& other : params) known = known || other.value("name", "") == param.value("name", "");
    if (!known) params.push_back(std::move(param));
  }
  spec.erase("params");
  if (!kept.empty()) spec["params"] = std::move(kept);
  return spec;
}

Json parts_of(const std::vector<Figure>& figures, Json& params, const char* what) {
  if (figures.empty()) throw Error(ErrorCode::usage, fmt::format("{} needs at least one figure", what));
  Json parts = Json::array();
  for (const Figure& figure : figures) parts.push_back(without_top(figure.spec(), params));
  return parts;
}

}  // namespace

Figure::Figure(Json spec) : spec_(std::move(spec)) {
  if (!spec_.is_object()) {
    throw Error(ErrorCode::usage, "a figure is made from a Vega-Lite specification, a JSON object",
                {{"got", spec_.type_name()}});
  }
  if (!spec_.contains("$schema")) {
    Json whole = {{"$schema", vega_lite_schema}};
    for (auto& [key, value] : spec_.items()) whole[key] = std::move(value);
    spec_ = std::move(whole);
  }
}

void Figure::save(const fs::path& path) const {
  const std::string ending = path.extension().string();
  if (ending == ".json")
    return write_file(path, spec_.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  if (ending == ".html" || ending == ".htm") return write_file(path, html());
  throw Error(ErrorCode::usage, "a figure is saved as .html or .json", {{"path", path}},
              "a page opens in any browser and saves a PNG or an SVG from its menu");
}

Figure line_figure(const std::vector<Series>& series, const FigureOptions& options) {
  return xy_figure(series, options, {{"type", "line"}, {"tooltip", true}});
}

Figure scatter_figure(const std::vector<Series>& series, const FigureOptions& options) {
  return xy_figure(series, options,
                   {{"type", "point"}, {"filled", true}, {"size", 40}, {"opacity", 0.8}, {"tooltip", true}});
}

Figure bar_figure(const std::vector<std::string>& names, const std::vector<double>& values,
                  const FigureOptions& options) {
  if (names.size() != values.size()) {
    throw Error(ErrorCode::usage, "bars need as many names as values",
                {{"names", names.size()}, {"values", values.size()}});
  }
  Json rows = Json::array();
  for (std::size_t i = 0; i < names.size(); ++i) rows.push_back({{"name", names[i]}, {"value", values[i]}});
  Json height = axis(options.y, options.log_y, options.y_range);
  height["field"] = "value";
  // A bar says its value by its length from 0.
  if (!options.log_y) height["scale"]["zero"] = !options.y_range;
  Json spec = frame(options);
  spec["data"] = {{"values", std::move(rows)}};
  spec["mark"] = {{"type", "bar"}, {"tooltip", true}, {"clip", true}};
  spec["encoding"] = {{"x",
                       {{"field", "name"},
                        {"type", "nominal"},
                        {"sort", nullptr},
                        {"title", options.x.empty() ? Json(nullptr) : Json(options.x)}}},
                      {"y", std::move(height)}};
  return Figure(std::move(spec));
}

Figure layered(const std::vector<Figure>& figures, const std::string& title) {
  Json params = Json::array();
  Json parts = parts_of(figures, params, "layered");
  Json spec = {{"$schema", vega_lite_schema}};
  if (!title.empty()) spec["title"] = title;
  if (!params.empty()) spec["params"] = std::move(params);
  for (const char* key : {"title", "width", "height"}) {
    if (parts[0].contains(key) && !spec.contains(key)) spec[key] = parts[0][key];
    for (Json& part : parts) part.erase(key);
  }
  spec["layer"] = std::move(parts);
  return Figure(std::move(spec));
}

Figure beside(const std::vector<Figure>& figures, int columns) {
  if (columns < 1) throw Error(ErrorCode::usage, "beside needs at least one column", {{"columns", columns}});
  Json params = Json::array();
  Json parts = parts_of(figures, params, "beside");
  Json spec = {{"$schema", vega_lite_schema}};
  if (!params.empty()) spec["params"] = std::move(params);
  spec["columns"] = columns;
  spec["concat"] = std::move(parts);
  // Each figure keeps its own legend: their colours have nothing to do with each other.
  spec["resolve"] = {{"scale", {{"color", "independent"}}}};
  return Figure(std::move(spec));
}

}  // namespace kindling
