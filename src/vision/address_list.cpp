#include <kindling/core/error.hpp>
#include <kindling/vision/collect.hpp>

#include "core/csv.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include <fmt/format.h>

namespace kindling {

namespace {

constexpr std::uint64_t max_list_bytes = std::uint64_t{64} << 20;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string_view first_line(std::string_view text) {
  return text.substr(0, text.find('\n'));
}

/// A CSV has a head with a column `url`; the lines of a plain list are addresses from the first on.
bool is_csv(std::string_view text) {
  if (first_line(text).find("://") != std::string_view::npos || text.starts_with('#')) return false;
  const auto head = detail::parse_csv(first_line(text), "");
  return !head.empty() && std::ranges::find(head[0].fields, "url") != head[0].fields.end();
}

std::vector<ImageResult> plain_lines(std::string_view text) {
  std::vector<ImageResult> results;
  while (!text.empty()) {
    const std::string_view line = trimmed(first_line(text));
    if (!line.empty() && !line.starts_with('#')) results.push_back({.url = std::string(line)});
    text.remove_prefix(std::min(text.size(), first_line(text).size() + 1));
  }
  return results;
}

std::vector<ImageResult> csv_rows(const std::string& text, const std::string& where, const std::string& term) {
  const auto records = detail::parse_csv(text, where);
  const auto& head = records.at(0).fields;
  const auto field = [&](const detail::CsvRecord& record, std::string_view name) -> std::string {
    const auto at = static_cast<std::size_t>(std::ranges::find(head, name) - head.begin());
    return at < head.size() && at < record.fields.size() ? record.fields[at] : std::string();
  };
  const bool has_terms = std::ranges::find(head, "term") != head.end();
  std::vector<ImageResult> results;
  for (const auto& record : records) {
    if (&record == &records.front() || (has_terms && field(record, "term") != term)) continue;
    results.push_back({.url = field(record, "url"),
                       .title = field(record, "title"),
                       .author = field(record, "author"),
                       .licence = field(record, "licence"),
                       .licence_url = field(record, "licence_url"),
                       .source_page = field(record, "source_page")});
  }
  return results;
}

class AddressList {
 public:
  explicit AddressList(fs::path file) : file_(std::move(file)) {}

  std::string name() const { return "list:" + file_.string(); }

  ImagePage page(const PageRequest& request) const {
    std::string text = read_text(file_, max_list_bytes);
    if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
    ImagePage out{.results = is_csv(text) ? csv_rows(text, file_.string(), request.term) : plain_lines(text),
                  .next = {}};
    if (out.results.empty()) {
      throw Error(ErrorCode::bad_data, "the list holds no addresses for this term",
                  {{"path", file_}, {"term", request.term}},
                  "write one address a line, or a CSV with the columns url and term");
    }
    return out;
  }

 private:
  fs::path file_;
};

}  // namespace

ImageProvider address_list(const fs::path& file) {
  return AddressList(file);
}

}  // namespace kindling
