#include <kindling/core/error.hpp>
#include <kindling/core/figure.hpp>
#include <kindling/core/html.hpp>

#include "core/temporary_folder.hpp"
#include "error_in.hpp"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {
namespace {

using kindling::testing::error_in;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// What stands between the tags of the page's JSON.
std::string specs_in(const std::string& page) {
  const std::string open = "id=\"figures\">";
  const std::size_t from = page.find(open) + open.size();
  return page.substr(from, page.find("</script>", from) - from);
}

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t n = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

TEST(HtmlEscape, MakesMarkupPlainText) {
  EXPECT_EQ(html_escape("<a href=\"x\">Tom & 'J'</a>"), "&lt;a href=&quot;x&quot;&gt;Tom &amp; &#39;J&#39;&lt;/a&gt;");
}

TEST(JsonInHtml, CannotEndItsElement) {
  const std::string nasty = "</script><script>alert(1)</script><!-- & \xe2\x80\xa8 \xff";
  const std::string text = json_in_html({{"t", nasty}});
  EXPECT_THAT(text, Not(::testing::ContainsRegex("[<>&]")));
  EXPECT_THAT(text, HasSubstr("\\u2028"));
  const std::string back = parse_json(text, "page")["t"];
  EXPECT_EQ(back, "</script><script>alert(1)</script><!-- & \xe2\x80\xa8 \xef\xbf\xbd");
}

TEST(Figure, TakesAnObjectAndFillsInTheSchemaFirst) {
  const Figure figure(Json{{"mark", "bar"}});
  EXPECT_EQ(figure.spec().begin().key(), "$schema");
  EXPECT_THAT(figure.spec()["$schema"].get<std::string>(), HasSubstr("vega-lite/v6"));
  EXPECT_EQ(Figure(Json{{"$schema", "vega"}}).spec()["$schema"], "vega");
  const Error error = error_in([] { Figure(Json::array({1})); });
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_EQ(error.fact("got"), "array");
}

TEST(Figure, SavesBySuffixAndNamesTheOthers) {
  testing::TemporaryFolder folder;
  const Figure figure = line_figure({{.y = {1, 2}}}, {.title = "T"});
  figure.save(folder / "a.json");
  EXPECT_EQ(parse_json(read_text(folder / "a.json"), "a.json"), figure.spec());
  figure.save(folder / "a.html");
  EXPECT_EQ(read_text(folder / "a.html"), figure.html());
  const Error error = error_in([&] { figure.save(folder / "a.png"); });
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_THAT(error.what(), HasSubstr(".html or .json"));
  EXPECT_EQ(folder.entries(), 2u);
}

TEST(FigurePage, HoldsAllScriptsAndAsksForNothing) {
  const std::string page = line_figure({{.y = {1, 2}}}).html();
  EXPECT_EQ(count(page, "<script"), count(page, "</script>"));
  EXPECT_EQ(count(page, "<script>"), 4u) << "vega, vega-lite, vega-embed, and the page's own";
  EXPECT_GT(page.size(), 800'000u);
  // Without the page in the message, which is long.
  for (const char* request : {"<script src", "<link", "@import", "sourceMappingURL"})
    EXPECT_EQ(count(page, request), 0u) << request;
  for (const char* wanted : {"default-src 'none'", "University of Washington"})
    EXPECT_GT(count(page, wanted), 0u) << wanted;
  for (const char* place : {"{{title}}", "{{body}}", "{{license}}", "{{scripts}}", "{{figures}}"})
    EXPECT_EQ(count(page, place), 0u) << place << " was left open";
}

TEST(FigurePage, KeepsTextOfTheUserAsText) {
  const Figure figure = line_figure({{.name = "</script>", .y = {1}}}, {.title = "<b>"});
  const std::string page = figure_page("<i>", {{.heading = "a < b", .text = "one\n\ntwo <u>", .figure = figure}});
  EXPECT_THAT(page, HasSubstr("<title>&lt;i&gt;</title>"));
  EXPECT_THAT(page, HasSubstr("<h1>&lt;i&gt;</h1>"));
  EXPECT_THAT(page, HasSubstr("<h2>a &lt; b</h2>\n<p>one</p>\n<p>two &lt;u&gt;</p>\n<div"));
  EXPECT_EQ(parse_json(specs_in(page), "page"), Json::array({figure.spec()}));
}

TEST(FigurePage, LeavesPlacesInTheUsersTextAlone) {
  const Figure figure = line_figure({{.y = {1}}}, {.title = "{{figures}}"});
  const std::string page = figure_page("{{body}}", {{.heading = "{{scripts}}", .figure = figure}});
  EXPECT_THAT(page, HasSubstr("<h1>{{body}}</h1>"));
  EXPECT_THAT(page, HasSubstr("<h2>{{scripts}}</h2>"));
  EXPECT_EQ(parse_json(specs_in(page), "page")[0]["title"], "{{figures}}");
}

TEST(LineFigure, CountsFromZeroWithoutXAndLeavesGapsForNaN) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Json spec = line_figure({{.name = "train", .y = {1, nan}}, {.name = "valid", .x = {5}, .y = {2}}}).spec();
  const Json& curves = spec["layer"][0];
  EXPECT_EQ(curves["data"]["values"].dump(),
            R"([{"x":0.0,"y":1.0,"series":"train"},{"x":1.0,"y":null,"series":"train"},)"
            R"({"x":5.0,"y":2.0,"series":"valid"}])");
  EXPECT_EQ(curves["encoding"]["color"]["scale"]["domain"].dump(), R"(["train","valid"])");
}

TEST(LineFigure, HasAxesAsAskedAndAFrameThatCutsOff) {
  const Json spec = line_figure({{.x = {0, 1e-3, 1}, .y = {1, 2, 3}}},
                                {.x = "lr", .log_x = true, .y_range = {{0, 10}}, .width = 300})
                        .spec();
  const Json& curves = spec["layer"][0];
  EXPECT_EQ(curves["encoding"]["x"]["scale"]["type"], "log");
  EXPECT_EQ(curves["encoding"]["x"]["title"], "lr");
  EXPECT_EQ(curves["data"]["values"].size(), 2u) << "a logarithmic axis has no 0";
  EXPECT_EQ(curves["encoding"]["y"]["scale"]["domain"].dump(), "[0.0,10.0]");
  EXPECT_EQ(curves["mark"]["clip"], true);
  EXPECT_EQ(spec["width"], 300);
  EXPECT_FALSE(curves["encoding"].contains("color")) << "one nameless curve needs no legend";
}

TEST(LineFigure, MarksPointsWithAnEntryInTheLegend) {
  const Json spec = line_figure({{.y = {3, 1}}}, {.marks = {{1, 1, "valley"}}}).spec();
  ASSERT_EQ(spec["layer"].size(), 2u);
  EXPECT_EQ(spec["layer"][1]["data"]["values"].dump(), R"([{"x":1.0,"y":1.0,"label":"valley"}])");
  EXPECT_EQ(spec["layer"][1]["encoding"]["color"]["scale"]["domain"].dump(), R"(["valley"])");
}

TEST(LineFigure, RefusesSeriesOfUnequalLengths) {
  const Error error = error_in([] { line_figure({{.name = "loss", .x = {1, 2, 3}, .y = {1}}}); });
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_EQ(error.fact("series"), "loss");
  EXPECT_EQ(error.fact("x"), "3");
}

TEST(BarFigure, KeepsTheGivenOrderAndStartsAtZero) {
  const Json spec = bar_figure({"z", "a"}, {2, 1}, {.y = "photos"}).spec();
  EXPECT_EQ(spec["data"]["values"].dump(), R"([{"name":"z","value":2.0},{"name":"a","value":1.0}])");
  EXPECT_TRUE(spec["encoding"]["x"]["sort"].is_null());
  EXPECT_EQ(spec["encoding"]["y"]["scale"]["zero"], true);
  EXPECT_EQ(error_in([] { bar_figure({"a"}, {}); }).code(), ErrorCode::usage);
}

TEST(HeatmapFigure, WritesWhiteOnTheDarkHalf) {
  const Json spec = heatmap_figure({"cat", "dog"}, {"cat", "dog"}, {{30, 2}, {1, 40}}, {.x = "Predicted"}).spec();
  EXPECT_EQ(spec["data"]["values"].size(), 4u);
  EXPECT_EQ(spec["data"]["values"][1].dump(), R"({"row":"cat","column":"dog","value":2.0})");
  EXPECT_EQ(spec["layer"][1]["encoding"]["color"]["condition"]["test"], "datum.value > 20.0");
  EXPECT_EQ(spec["encoding"]["x"]["title"], "Predicted");
  EXPECT_EQ(error_in([] { heatmap_figure({"a"}, {"b", "c"}, {{1}}); }).fact("row"), "a");
}

TEST(Layered, LiftsParametersTitleAndSizeToTheTop) {
  const Json slider = {{"name", "a"}, {"value", 1}, {"bind", {{"input", "range"}}}};
  const Json zoom = {{"name", "zoom"}, {"select", "interval"}};
  const Figure points({{"title", "T"}, {"width", 200}, {"params", {slider, zoom}}, {"mark", "point"}});
  const Figure curve({{"params", {slider}}, {"width", 300}, {"mark", "line"}});
  const Json spec = layered({points, curve}).spec();
  EXPECT_EQ(spec["params"].dump(), Json::array({slider}).dump());
  EXPECT_EQ(spec["title"], "T");
  EXPECT_EQ(spec["width"], 200);
  EXPECT_EQ(spec["layer"][0].dump(), R"({"mark":"point","params":[{"name":"zoom","select":"interval"}]})");
  EXPECT_EQ(spec["layer"][1].dump(), R"({"mark":"line"})");
  EXPECT_EQ(layered({points}, "U").spec()["title"], "U");
  EXPECT_EQ(error_in([] { layered({}); }).code(), ErrorCode::usage);
}

TEST(Beside, PutsFiguresInRowsWithLegendsOfTheirOwn) {
  const Figure one(Json{{"mark", "bar"}});
  const Json spec = beside({one, one, one}, 2).spec();
  EXPECT_EQ(spec["concat"].size(), 3u);
  EXPECT_EQ(spec["columns"], 2);
  EXPECT_EQ(spec["resolve"]["scale"]["color"], "independent");
}

}  // namespace
}  // namespace kindling
