// Pages of figures in a real browser, where there is one: `apt-get install chromium`.
#include <kindling/core/figure.hpp>

#include "core/temporary_folder.hpp"

#include <array>
#include <cstdio>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return out;
  std::array<char, 65536> block;
  while (const std::size_t n = std::fread(block.data(), 1, block.size(), pipe)) out.append(block.data(), n);
  ::pclose(pipe);
  return out;
}

/// The page as it stands after its scripts have run, or nothing without a browser.
std::string drawn(const std::string& page, const testing::TemporaryFolder& folder) {
  std::string browser = output_of("command -v chromium chromium-browser google-chrome 2>/dev/null | head -1");
  if (browser.empty()) return "";
  browser.pop_back();
  write_file(folder / "page.html", page);
  return output_of("timeout 60 " + browser + " --headless --no-sandbox --disable-gpu --user-data-dir=" +
                   (folder / "profile").string() + " --virtual-time-budget=10000 --dump-dom file://" +
                   (folder / "page.html").string() + " 2>/dev/null");
}

std::string body_of(const std::string& dom) {
  const std::size_t from = dom.find("<main>");
  return from == std::string::npos ? "" : dom.substr(from, dom.find("</main>") - from);
}

TEST(FigureBrowser, DrawsEveryFigureAndSaysWhyOneCannotBe) {
  testing::TemporaryFolder folder;
  const Figure sliders({{"params", {{{"name", "a"}, {"value", 2}, {"bind", {{"input", "range"}}}}}},
                        {"title", {{"text", {{"expr", "'twice a: ' + 2 * a"}}}}},
                        {"data", {{"values", {{{"x", 1}, {"y", 2}}}}}},
                        {"mark", "point"},
                        {"encoding", {{"x", {{"field", "x"}, {"type", "quantitative"}}}}}});
  const Figure curve = line_figure({{.name = "train", .y = {3, 2, 1}}, {.name = "valid", .y = {4, 3, 3}}},
                                   {.title = "Loss </script>", .y = "loss", .marks = {{1, 2, "here"}}});
  const Figure table = heatmap_figure({"cat", "dog"}, {"cat", "dog"}, {{31, 2}, {1, 40}});
  const std::string dom = drawn(
      figure_page("All of them", {{.heading = "Sliders", .figure = sliders},
                                  {.heading = "Others", .figure = beside({curve, table})},
                                  {.heading = "Layers", .figure = layered({curve, scatter_figure({{.y = {2, 1}}})})},
                                  {.heading = "Bars", .figure = bar_figure({"a", "b"}, {1, 2})},
                                  {.heading = "Broken", .figure = Figure(Json{{"mark", 7}})}}),
      folder);
  if (dom.empty()) GTEST_SKIP() << "needs a browser: apt-get install chromium";
  EXPECT_THAT(dom, HasSubstr("data-drawn=\"yes\""));
  const std::string body = body_of(dom);
  EXPECT_THAT(body, HasSubstr("twice a: 4"));
  EXPECT_THAT(body, HasSubstr("type=\"range\""));
  EXPECT_THAT(body, HasSubstr("Loss &lt;/script&gt;"));
  for (const char* word : {">train<", ">valid<", ">here<", ">31<", ">40<"}) EXPECT_THAT(body, HasSubstr(word));
  EXPECT_THAT(body, HasSubstr("This chart cannot be drawn"));
  std::size_t drawings = 0;
  for (std::size_t at = body.find("class=\"marks\""); at != std::string::npos; ++drawings)
    at = body.find("class=\"marks\"", at + 1);
  EXPECT_EQ(drawings, 4u);
}

TEST(FigureBrowser, FetchesNothingThatASpecificationNames) {
  testing::TemporaryFolder folder;
  write_file(folder / "data.json", "[{\"x\": 12345}]");
  const Figure figure({{"data", {{"url", "file://" + (folder / "data.json").string()}}},
                       {"mark", "text"},
                       {"encoding", {{"text", {{"field", "x"}, {"type", "quantitative"}}}}}});
  const std::string dom = drawn(figure.html(), folder);
  if (dom.empty()) GTEST_SKIP() << "needs a browser: apt-get install chromium";
  EXPECT_THAT(dom, HasSubstr("data-drawn=\"yes\""));
  EXPECT_THAT(body_of(dom), Not(HasSubstr("12345")));
}

}  // namespace
}  // namespace kindling
