#include "cli/task.hpp"

#include <kindling/core/files.hpp>

#include "cli/rating_set.hpp"
#include "cli/run_folder.hpp"
#include "cli/table_set.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace kindling::cli {

namespace {

using Words = std::vector<std::string>;

std::string value_of(const Words& words, std::string_view flag) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == flag && i + 1 < words.size()) return words[i + 1];
    if (words[i].starts_with(flag) && words[i].size() > flag.size() && words[i][flag.size()] == '=')
      return words[i].substr(flag.size() + 1);
  }
  return "";
}

/// Of a run that is there; anything else is left to the command, which says what is wrong with it.
Task task_of_run(const fs::path& run) {
  try {
    const std::string task = read_run(run).value("task", "");
    return task == "table" ? Task::table : task == "ratings" ? Task::ratings : Task::photos;
  } catch (const std::exception&) {
    return Task::photos;
  }
}

std::string table_among(const Words& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    // What follows a flag is that flag's, as the file of --label csv:FILE.
    if (!words[i].starts_with("-") && is_table_file(words[i]) && (i == 0 || words[i - 1][0] != '-')) return words[i];
  }
  return "";
}

bool asks_for_a_table(const Words& words) {
  for (const char* flag : {"--target", "--cat", "--cont", "--time", "--group"}) {
    if (!value_of(words, flag).empty()) return true;
  }
  const std::string task = value_of(words, "--task");
  return !task.empty() && task != "ratings";
}

bool asks_for_ratings(const Words& words) {
  for (const char* flag : {"--user", "--item", "--rating", "--titles"}) {
    if (!value_of(words, flag).empty()) return true;
  }
  return value_of(words, "--task") == "ratings";
}

}  // namespace

Task task_of(int argc, char** argv) {
  if (argc < 3) return Task::photos;
  const std::string command = argv[1];
  const Words words(argv + 2, argv + argc);
  for (const char* flag : {"--resume", "--like"}) {
    if (const std::string run = value_of(words, flag); !run.empty()) return task_of_run(run);
  }
  if (command == "interpret") {
    for (const std::string& word : words) {
      if (!word.starts_with("-")) return task_of_run(word);
    }
  }
  const std::string table = table_among(words);
  if (table.empty()) return Task::photos;
  if (asks_for_a_table(words)) return Task::table;
  return asks_for_ratings(words) || looks_like_ratings(table) ? Task::ratings : Task::table;
}

}  // namespace kindling::cli
