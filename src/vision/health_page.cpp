#include <kindling/core/thread_pool.hpp>
#include <kindling/vision/doctor.hpp>
#include <kindling/vision/resample.hpp>

#include "core/base64.hpp"
#include "core/printable.hpp"
#include "vision/health_page_style.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace kindling {

namespace {

constexpr int thumbnail_side = 192;
constexpr int thumbnail_quality = 72;
/// Copies of one photo that are shown beside each other.
constexpr std::size_t most_in_a_row = 4;
constexpr std::size_t most_classes = 100;
constexpr std::size_t most_names = 500;
constexpr std::size_t most_label_cases = 200;

/// Foreign text as text of a page.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : detail::printable(text, detail::LineBreaks::escape)) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else
      out += c;
  }
  return out;
}

/// Foreign text that cannot turn the direction of what stands around it.
std::string isolated(std::string_view text) {
  return "<bdi>" + escaped(text) + "</bdi>";
}

Size fitted(Size size) {
  const double scale = std::min(1.0, static_cast<double>(thumbnail_side) / std::max(size.width, size.height));
  const auto side = [scale](int n) { return std::max(1, static_cast<int>(std::lround(n * scale))); };
  return {side(size.width), side(size.height)};
}

/// A picture's `<img>`; empty for a file that shows none. Of a JPEG that ends early what is there is shown.
std::string thumbnail(const fs::path& path, bool exif_orientation) {
  const auto reduction = [](Size size) {
    int by = 8;
    while (by > 1 && std::max(size.width, size.height) / by < thumbnail_side) by /= 2;
    return by;
  };
  try {
    const Image photo = open_image(
        path, {.exif_orientation = exif_orientation, .allow_truncated = true, .reduction = reduction});
    const Size size = fitted(photo.size());
    const Bytes jpeg = encode_jpeg(resize(photo, size), thumbnail_quality);
    return fmt::format(R"(<img alt="" width="{}" height="{}" src="data:image/jpeg;base64,{}">)", size.width,
                       size.height, detail::base64(jpeg));
  } catch (const Error&) {
    return "";
  }
}

class Page {
 public:
  Page(const HealthReport& report, const HealthPageOptions& options)
      : report_(report), options_(options), pool_(options.threads) {}

  std::string text() {
    const std::string title = options_.title.empty() ? folder_name() : options_.title;
    std::string html = fmt::format(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{0}: health</title>\n"
        "<style>\n{1}</style>\n</head>\n<body>\n",
        escaped(title), detail::health_page_style);
    html += header(title) + "<main>\n";
    for (const HealthFinding& finding : report_.findings) html += section(finding);
    return html + classes() + "</main>\n<footer>made by kindling doctor</footer>\n</body>\n</html>\n";
  }

 private:
  std::string folder_name() const {
    if (options_.root.empty()) return "photos";
    const fs::path root = fs::absolute(options_.root).lexically_normal();
    return (root.has_filename() ? root : root.parent_path()).filename().string();
  }

  std::string name_of_item(std::size_t i) const {
    const fs::path& path = report_.items[i].path;
    return (options_.root.empty() ? path : path.lexically_relative(options_.root)).generic_string();
  }

  std::string_view worst() const {
    if (report_.count(Severity::error) > 0) return "error";
    return report_.count(Severity::warning) > 0 ? "warning" : "clean";
  }

  std::string header(const std::string& title) const {
    std::size_t train = 0, valid = 0;
    for (const auto& [label, n] : report_.classes) {
      train += n.train;
      valid += n.valid;
    }
    std::string html =
        fmt::format("<header>\n<h1>{}</h1>\n<p class=\"verdict {}\">{}</p>\n<p class=\"facts\">{} files",
                    isolated(title), worst(), escaped(report_.verdict()), report_.items.size());
    if (const std::size_t n = report_.classes.size(); n > 0)
      html += fmt::format(", {} class{}", n, n == 1 ? "" : "es");
    if (train + valid > 0) html += fmt::format(", {} train, {} valid", train, valid);
    html += "</p>\n<nav>\n";
    for (const HealthFinding& finding : report_.findings)
      html += fmt::format("<a class=\"{}\" href=\"#{}\">{}</a>\n", name_of(finding.severity()),
                          name_of(finding.kind), escaped(finding.what()));
    if (!report_.classes.empty()) html += "<a href=\"#classes\">classes</a>\n";
    return html + "</nav>\n</header>\n";
  }

  std::string section(const HealthFinding& finding) {
    return fmt::format(
               "<section id=\"{0}\" class=\"{1}\">\n<h2><span class=\"tag\">{1}</span> "
               "{2}</h2>\n<p>{3}</p>\n",
               name_of(finding.kind), name_of(finding.severity()), escaped(finding.what()),
               escaped(finding.advice())) +
           (finding.files() > 0 ? pictures(finding) : labels(finding)) + "</section>\n";
  }

  /// So many cases as have their pictures shown.
  std::size_t shown_cases(const HealthFinding& finding) const {
    std::size_t cases = 0, used = 0;
    for (const HealthCase& c : finding.cases) {
      used += std::min(c.items.size(), most_in_a_row);
      if (used > options_.max_pictures) break;
      ++cases;
    }
    return cases;
  }

  std::string pictures(const HealthFinding& finding) {
    const std::size_t shown = shown_cases(finding);
    std::vector<std::string> blocks(shown);
    pool_.for_each(shown, [&](std::size_t i) { blocks[i] = block(finding.cases[i]); });
    std::string html = "<div class=\"cases\">\n";
    for (const std::string& b : blocks) html += b;
    return html + "</div>\n" + names(finding, shown);
  }

  std::string block(const HealthCase& c) const {
    if (c.items.size() == 1) return figure(c.items.front(), c.detail);
    std::string html = "<div class=\"group\">\n<div class=\"row\">\n";
    const std::size_t shown = std::min(c.items.size(), most_in_a_row);
    for (std::size_t i = 0; i < shown; ++i) html += figure(c.items[i], "");
    html += fmt::format("</div>\n<p>{}", escaped(c.detail));
    if (shown < c.items.size()) html += fmt::format("; {} more of the same", c.items.size() - shown);
    return html + "</p>\n</div>\n";
  }

  std::string figure(std::size_t i, const std::string& detail) const {
    const HealthItem& item = report_.items[i];
    std::string image = thumbnail(item.path, options_.exif_orientation);
    if (image.empty()) image = "<div class=\"none\">no picture</div>";
    std::string html = fmt::format("<figure>{}<figcaption>{}", image, isolated(name_of_item(i)));
    if (!item.label.empty()) html += fmt::format(" <span class=\"label\">{}</span>", isolated(item.label));
    if (item.side != SplitSide::none)
      html +=
          fmt::format(" <span class=\"side\">{}</span>", item.side == SplitSide::train ? "train" : "valid");
    if (!detail.empty()) html += fmt::format("<small>{}</small>", escaped(detail));
    return html + "</figcaption></figure>\n";
  }

  /// The files of the cases that are not shown.
  std::string names(const HealthFinding& finding, std::size_t shown) const {
    if (shown == finding.cases.size()) return "";
    std::string list;
    std::size_t n = 0;
    for (std::size_t i = shown; i < finding.cases.size() && n < most_names; ++i) {
      std::string line;
      for (const std::size_t item : finding.cases[i].items)
        line += (line.empty() ? "" : " = ") + isolated(name_of_item(item));
      list += "<li>" + line + "</li>\n";
      n += finding.cases[i].items.size();
    }
    const std::size_t rest = finding.cases.size() - shown;
    return fmt::format("<details><summary>{} more</summary><ul>\n{}</ul>{}</details>\n", rest, list,
                       n >= most_names ? "<p>kindling doctor --json names all</p>" : "");
  }

  std::string labels(const HealthFinding& finding) const {
    std::string html = "<ul class=\"labels\">\n";
    const std::size_t shown = std::min(finding.cases.size(), most_label_cases);
    for (std::size_t i = 0; i < shown; ++i) {
      std::string line;
      for (const std::string& label : finding.cases[i].labels)
        line += (line.empty() ? "" : " · ") + ("<b>" + isolated(label) + "</b>");
      html += fmt::format("<li>{} <small>{}</small></li>\n", line, escaped(finding.cases[i].detail));
    }
    html += "</ul>\n";
    if (shown < finding.cases.size())
      html += fmt::format("<p>and {} more</p>\n", finding.cases.size() - shown);
    return html;
  }

  std::string classes() const {
    if (report_.classes.empty()) return "";
    std::vector<std::pair<std::string, ClassCount>> rows(report_.classes.begin(), report_.classes.end());
    std::ranges::stable_sort(rows, std::ranges::greater(),
                             [](const auto& row) { return row.second.photos(); });
    const auto most = static_cast<double>(std::max<std::size_t>(rows.front().second.photos(), 1));
    const auto part = [most](std::size_t n) {
      return fmt::format("{:.2f}%", 100 * static_cast<double>(n) / most);
    };
    std::string html =
        "<section id=\"classes\">\n<h2>Classes</h2>\n<table>\n<tr><th>class</th><th></th>"
        "<th>train</th><th>valid</th><th>photos</th></tr>\n";
    for (std::size_t i = 0; i < std::min(rows.size(), most_classes); ++i) {
      const auto& [label, n] = rows[i];
      html += fmt::format(
          "<tr><td>{}</td><td class=\"bar\"><i class=\"train\" style=\"width:{}\"></i>"
          "<i class=\"valid\" style=\"width:{}\"></i></td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
          isolated(label), part(n.train + n.other), part(n.valid), n.train, n.valid, n.photos());
    }
    html += "</table>\n";
    if (rows.size() > most_classes) html += fmt::format("<p>and {} more</p>\n", rows.size() - most_classes);
    return html + "</section>\n";
  }

  const HealthReport& report_;
  const HealthPageOptions& options_;
  ThreadPool pool_;
};

}  // namespace

std::string health_page(const HealthReport& report, const HealthPageOptions& options) {
  return Page(report, options).text();
}

}  // namespace kindling
