#pragma once
/// Charts: Vega-Lite specifications, saved as JSON or as a page that shows itself in any browser.
///
///   auto loss = line_figure({{.name = "train", .y = train}, {.name = "valid", .x = at, .y = valid}},
///                           {.title = "Loss", .x = "batch", .y = "loss"});
///   loss.save("loss.html");      // one file; it sends no request anywhere
///   loss.save("loss.json");      // the specification, for notebooks and other tools
///
/// What no helper draws is written as a specification (https://vega.github.io/vega-lite/docs):
///
///   Figure({{"data", …}, {"mark", "area"}, {"encoding", …}}).save("area.html");

#include <kindling/core/files.hpp>
#include <kindling/core/json.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kindling {

/// A chart. Value type.
class Figure {
 public:
  /// A Vega-Lite specification, or one of Vega where its "$schema" says so; Vega-Lite's is filled in where
  /// there is none. Throws `usage` for JSON that is no object.
  explicit Figure(Json spec);
  const Json& spec() const { return spec_; }
  /// A page with the chart and all the scripts that it needs inside (about 840 kB). It follows the reader's
  /// light or dark theme. Nothing is fetched: data that a specification asks for by "url" stays away.
  std::string html() const;
  /// Writes `.json` (the specification) or `.html`, atomically. Throws `usage` for another ending.
  void save(const fs::path& path) const;

 private:
  Json spec_;
};

/// A figure of a page, under a heading and a text; both may be empty. Blank lines part the text's
/// paragraphs.
struct FigureSection {
  std::string heading = "";
  std::string text = "";
  Figure figure;
};

/// A page of several figures, as self-contained as one figure's: `write_file("report.html", figure_page(…))`.
std::string figure_page(const std::string& title, const std::vector<FigureSection>& sections);

/// Numbers to draw: y over x. Without x they are counted from 0. A NaN leaves a gap.
struct Series {
  std::string name = "";  ///< in the legend
  std::vector<double> x = {};
  std::vector<double> y = {};
};

/// A point to point out.
struct MarkedPoint {
  double x = 0, y = 0;
  std::string label = "";  ///< in the legend
};

/// How the helpers below draw.
struct FigureOptions {
  std::string title = "";
  std::string x = "", y = "";  ///< titles of the axes
  bool log_x = false;          ///< logarithmic; points that such an axis cannot show are left out
  bool log_y = false;
  std::optional<std::pair<double, double>> x_range = std::nullopt;  ///< left out: as the data need
  std::optional<std::pair<double, double>> y_range = std::nullopt;
  std::vector<MarkedPoint> marks = {};
  int width = 480;  ///< of the plot in pixels, without axes
  int height = 300;
};

/// Curves. Throws `usage` where a series has not as many x as y.
Figure line_figure(const std::vector<Series>& series, const FigureOptions& options = {});
/// Points. Throws `usage` likewise.
Figure scatter_figure(const std::vector<Series>& series, const FigureOptions& options = {});
/// A bar a name, in the order given. Throws `usage` unless there is one value a name.
Figure bar_figure(const std::vector<std::string>& names, const std::vector<double>& values,
                  const FigureOptions& options = {});
/// A table of coloured cells with their numbers, `values[row][column]`: a confusion matrix. `format` is d3's
/// ("d", ".2f"). Throws `usage` where the table is not rows x columns.
Figure heatmap_figure(const std::vector<std::string>& rows, const std::vector<std::string>& columns,
                      const std::vector<std::vector<double>>& values, const FigureOptions& options = {},
                      const std::string& format = "d");

/// Figures of the same axes over each other, in the first one's size: points, then the curve through them.
/// A title given replaces the first one's.
Figure layered(const std::vector<Figure>& figures, const std::string& title = "");
/// Figures side by side, at most `columns` in a row.
Figure beside(const std::vector<Figure>& figures, int columns = 2);

}  // namespace kindling
