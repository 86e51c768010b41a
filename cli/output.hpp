#pragma once
/// What the program prints: results, tables, errors; for people or as JSON.

#include <kindling/core/error.hpp>
#include <kindling/core/listener.hpp>

#include "cli/command.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kindling::cli {

/// Progress, tables and messages as the flags want them: a terminal's, JSON lines, or warnings alone.
std::shared_ptr<Listener> make_listener(const CommonOptions& options);

/// Writes to standard output.
void put(std::string_view text);
/// One object on a line of its own.
void put_json(const Json& object);
/// Foreign text (a file's name) on one line, without anything that could steer a terminal.
std::string safe(std::string_view text);

/// {code, message, hint, facts}.
Json error_json(const Error& error);
/// For people three parts on standard error: the message, its facts, what to try; as JSON one object on
/// standard output.
void put_error(const Error& error, bool json);

/// Rows in columns as wide as their widest cell; `right` says which columns are set to the right.
std::string in_columns(const std::vector<std::vector<std::string>>& rows,
                       const std::vector<bool>& right = {});

struct TerminalSize {
  int columns = 80;
  int rows = 24;
};
/// Nothing when standard output is no terminal.
std::optional<TerminalSize> terminal_size();

/// "1 photo", "2 photos", "3 classes".
std::string count_of(std::size_t n, std::string_view one, std::string_view many);
/// A path as an argument in a shell.
std::string shell_word(const std::string& text);

}  // namespace kindling::cli
