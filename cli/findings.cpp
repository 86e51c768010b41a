#include "cli/findings.hpp"

#include <kindling/core/error.hpp>

#include "cli/output.hpp"

#include <fmt/format.h>

namespace kindling::cli {

int tell_findings(const Examined& what, const std::vector<Finding>& found, const CommonOptions& common, bool strict) {
  const std::string verdict = found.empty() ? "nothing found" : count_of(found.size(), "finding", "findings");
  if (common.json) {
    Json list = Json::array();
    for (const Finding& f : found) list.push_back({{"problem", f.problem}, {"column", f.column}, {"text", f.text}});
    Json said = {{"data", what.data}};
    said.update(what.size);
    said["findings"] = std::move(list);
    said["verdict"] = verdict;
    put_json(said);
  } else if (!common.quiet) {
    put(fmt::format("{}: {}\n\n", safe(what.data), what.words));
    std::vector<std::vector<std::string>> rows;
    for (const Finding& f : found) rows.push_back({f.problem, safe(f.column), safe(f.text)});
    if (!rows.empty()) put(in_columns(rows) + "\n");
    put("verdict: " + verdict + "\n");
  }
  return strict && !found.empty() ? exit_code(ErrorCode::bad_data) : 0;
}

}  // namespace kindling::cli
