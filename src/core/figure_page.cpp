#include <kindling/core/figure.hpp>
#include <kindling/core/html.hpp>

#include <string_view>

namespace kindling {

namespace detail {
// Compiled in from src/core/figure_page.html and from the npm packages that scripts/setup brings.
extern const std::string_view figure_page_html;
extern const std::string_view vega_js;
extern const std::string_view vega_lite_js;
extern const std::string_view vega_embed_js;
extern const std::string_view vega_license;
}  // namespace detail

namespace {

std::string paragraphs(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find("\n\n");
    const std::string_view paragraph = text.substr(0, end);
    if (paragraph.find_first_not_of(" \n\t\r") != std::string_view::npos)
      out += "<p>" + html_escape(paragraph) + "</p>\n";
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 2);
  }
  return out;
}

std::string section_html(const FigureSection& section, std::size_t number) {
  std::string out = "<section>\n";
  if (!section.heading.empty()) out += "<h2>" + html_escape(section.heading) + "</h2>\n";
  out += paragraphs(section.text);
  // vega-embed makes its element as wide as the chart: the one round it scrolls.
  out += "<div class=\"figure\"><div id=\"figure-" + std::to_string(number) + "\"></div></div>\n</section>\n";
  return out;
}

/// The template with its places filled. What is put in is not looked through for places again.
std::string fill(std::string_view text, const std::vector<std::pair<std::string_view, std::string>>& places) {
  std::string out;
  for (const auto& [place, content] : places) {
    const std::size_t at = text.find(place);
    if (at == std::string_view::npos) continue;
    out += text.substr(0, at);
    out += content;
    text.remove_prefix(at + place.size());
  }
  out += text;
  return out;
}

std::string page(const std::string& title, const std::string& body, const Json& specs) {
  std::string scripts;
  for (const std::string_view script : {detail::vega_js, detail::vega_lite_js, detail::vega_embed_js}) {
    scripts += "<script>";
    scripts += script;
    scripts += "</script>\n";
  }
  // In the order in which they stand in the template.
  return fill(detail::figure_page_html, {{"{{title}}", html_escape(title)},
                                         {"{{body}}", body},
                                         {"{{license}}", std::string(detail::vega_license)},
                                         {"{{scripts}}", scripts},
                                         {"{{figures}}", json_in_html(specs)}});
}

}  // namespace

std::string Figure::html() const {
  const bool titled = spec_.contains("title") && spec_["title"].is_string();
  return page(titled ? spec_["title"].get<std::string>() : "Figure", section_html({.figure = *this}, 0),
              Json::array({spec_}));
}

std::string figure_page(const std::string& title, const std::vector<FigureSection>& sections) {
  std::string body = title.empty() ? "" : "<h1>" + html_escape(title) + "</h1>\n";
  Json specs = Json::array();
  for (const FigureSection& section : sections) {
    body += section_html(section, specs.size());
    specs.push_back(section.figure.spec());
  }
  return page(title.empty() ? "Figures" : title, body, specs);
}

}  // namespace kindling
