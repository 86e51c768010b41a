#pragma once
/// What a doctor of tables or ratings says in the end.

#include "cli/command.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace kindling::cli {

struct Finding {
  std::string problem, column, text;
};

/// What was examined: the file, and its size as JSON and in words.
struct Examined {
  std::string data;
  Json size;
  std::string words;
};

/// Prints the findings and the verdict, as a table or JSON. Gives the exit code: of `strict` 3 where something was found.
int tell_findings(const Examined& what, const std::vector<Finding>& found, const CommonOptions& common, bool strict);

}  // namespace kindling::cli
