// Every program in a page of the guide stands, word by word, in a source that is compiled and run.

#include <kindling/core/files.hpp>

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace kindling {

namespace {

std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> lines;
  std::istringstream text(read_text(path));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

std::string unindented(const std::vector<std::string>& lines) {
  std::size_t least = std::string::npos;
  for (const auto& line : lines) {
    if (!line.empty()) least = std::min(least, line.find_first_not_of(' '));
  }
  std::string text;
  for (const auto& line : lines) text += (line.empty() ? line : line.substr(least)) + "\n";
  return text;
}

/// Snippets of a source, without the lines that only check.
std::map<std::string, std::string> snippets_of(const fs::path& source) {
  std::map<std::string, std::string> found;
  std::string name;
  std::vector<std::string> lines;
  for (const std::string& line : lines_of(source)) {
    const auto mark = line.find_first_not_of(' ');
    if (mark == std::string::npos || line.compare(mark, 3, "//!") != 0) {
      if (!name.empty() && line.find("EXPECT_") == std::string::npos) lines.push_back(line);
      continue;
    }
    if (!name.empty()) found[name] = unindented(lines);
    name = line.size() > mark + 4 ? line.substr(mark + 4) : "";
    lines.clear();
  }
  return found;
}

std::vector<std::string> programs_in(const fs::path& page) {
  std::vector<std::string> programs;
  bool inside = false;
  for (const std::string& line : lines_of(page)) {
    if (line == "```cpp") {
      inside = true;
      programs.emplace_back();
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      programs.back() += line + "\n";
    }
  }
  return programs;
}

void expect_compiled(const std::string& page, const std::string& source) {
  const fs::path root = KINDLING_SOURCE_DIR;
  const auto snippets = snippets_of(root / "tests/docs" / source);
  const auto programs = programs_in(root / "docs/guide" / page);
  EXPECT_FALSE(programs.empty());
  EXPECT_EQ(programs.size(), snippets.size()) << "each snippet of " << source << " stands in the page";
  for (const std::string& program : programs) {
    bool found = false;
    for (const auto& [name, text] : snippets) found = found || text == program;
    EXPECT_TRUE(found) << page << " has a program that " << source << " does not compile:\n" << program;
  }
}

}  // namespace

TEST(GuidePages, ProgramsAreThoseThatAreCompiled) {
  expect_compiled("train.md", "train_docs_test.cpp");
  expect_compiled("callbacks.md", "callbacks_docs_test.cpp");
  expect_compiled("parts.md", "parts_docs_test.cpp");
  expect_compiled("tables.md", "tables_docs_test.cpp");
  expect_compiled("ratings.md", "ratings_docs_test.cpp");
}

}  // namespace kindling
